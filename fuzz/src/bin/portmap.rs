//! Fuzzes [`wayleave_fuzz::portmap`].
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wayleave_fuzz::portmap::run(bytes));
