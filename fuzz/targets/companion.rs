//! Fuzzes [`edgec_fuzz::companion`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| edgec_fuzz::companion(data));
