//! Fuzzes [`edgec_fuzz::hosts`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| edgec_fuzz::hosts(data));
