//! Fuzzes [`wayleave_fuzz::ice_agent`].
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wayleave_fuzz::ice_agent::run(bytes));
