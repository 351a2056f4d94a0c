//! Fuzzes [`wayleave_fuzz::turn`].
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wayleave_fuzz::turn::run(bytes));
