//! Fuzzes [`wayleave_fuzz::call_sdp`].
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wayleave_fuzz::call_sdp::run(bytes));
