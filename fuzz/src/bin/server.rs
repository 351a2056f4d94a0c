//! Fuzzes [`wayleave_fuzz::server`].
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wayleave_fuzz::server::run(bytes));
