//! Fuzzes [`edgec_fuzz::metrics`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| edgec_fuzz::metrics(data));
