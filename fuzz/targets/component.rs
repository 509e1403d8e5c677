//! Fuzzes [`edgec_fuzz::component`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| edgec_fuzz::component(data));
