//! Fuzzes [`wayleave_fuzz::rtp_session`].
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wayleave_fuzz::rtp_session::run(bytes));
