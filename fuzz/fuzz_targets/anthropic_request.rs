#![no_main]
use libfuzzer_sys::fuzz_target;
use tollgate::dialect::anthropic;

fuzz_target!(|data: &[u8]| tollgate_fuzz::request(data, anthropic::CANNOT, anthropic::request::read, anthropic::request::write));
