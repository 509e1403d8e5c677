//! Fuzzes [`edgec_fuzz::sbom`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| edgec_fuzz::sbom(data));
