//! Fuzzes [`wayleave_fuzz::sip_message`].
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wayleave_fuzz::sip_message::run(bytes));
