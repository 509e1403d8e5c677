//! Fuzzes [`edgec_fuzz::reencode`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| edgec_fuzz::reencode(data));
