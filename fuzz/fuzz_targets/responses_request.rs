#![no_main]
use libfuzzer_sys::fuzz_target;
use tollgate::dialect::responses;

fuzz_target!(|data: &[u8]| tollgate_fuzz::request(data, responses::CANNOT, responses::request::read, responses::request::write));
