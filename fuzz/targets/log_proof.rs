//! Fuzzes [`edgec_fuzz::log_proof`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| edgec_fuzz::log_proof(data));
