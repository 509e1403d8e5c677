//! Fuzzes [`edgec_fuzz::host_status`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| edgec_fuzz::host_status(data));
