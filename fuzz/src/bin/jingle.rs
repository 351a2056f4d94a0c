//! Fuzzes [`wayleave_fuzz::jingle`].
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wayleave_fuzz::jingle::run(bytes));
