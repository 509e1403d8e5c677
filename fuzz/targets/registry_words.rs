//! Fuzzes [`edgec_fuzz::registry_words`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| edgec_fuzz::registry_words(data));
