//! Fuzzes [`edgec_fuzz::flatten`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| edgec_fuzz::flatten(data));
