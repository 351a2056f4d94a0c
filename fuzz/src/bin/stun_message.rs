//! Fuzzes [`wayleave_fuzz::stun_message`].
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wayleave_fuzz::stun_message::run(bytes));
