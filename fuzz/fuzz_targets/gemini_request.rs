#![no_main]
use libfuzzer_sys::fuzz_target;
use tollgate::dialect::gemini;

fuzz_target!(|data: &[u8]| tollgate_fuzz::request(data, gemini::CANNOT, gemini::request::read, gemini::request::write));
