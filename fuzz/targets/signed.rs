//! Fuzzes [`edgec_fuzz::signed`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| edgec_fuzz::signed(data));
