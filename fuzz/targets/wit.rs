//! Fuzzes [`edgec_fuzz::wit`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| edgec_fuzz::wit(data));
