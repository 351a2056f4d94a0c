//! Fuzzes [`wayleave_fuzz::xmpp_stream`].
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wayleave_fuzz::xmpp_stream::run(bytes));
