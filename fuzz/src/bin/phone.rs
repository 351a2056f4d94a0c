//! Fuzzes [`wayleave_fuzz::phone`].
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wayleave_fuzz::phone::run(bytes));
