//! Fuzzes [`edgec_fuzz::debug_file`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| edgec_fuzz::debug_file(data));
