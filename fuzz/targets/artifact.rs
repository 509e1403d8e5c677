//! Fuzzes [`edgec_fuzz::artifact`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| edgec_fuzz::artifact(data));
