//! Fuzzes [`edgec_fuzz::fleet`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| edgec_fuzz::fleet(data));
