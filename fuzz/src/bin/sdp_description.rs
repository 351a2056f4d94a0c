//! Fuzzes [`wayleave_fuzz::sdp_description`].
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wayleave_fuzz::sdp_description::run(bytes));
