//! Fuzzes [`edgec_fuzz::difference`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| edgec_fuzz::difference(data));
