//! Fuzzes [`edgec_fuzz::registry_index`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| edgec_fuzz::registry_index(data));
