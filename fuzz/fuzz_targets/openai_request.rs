#![no_main]
use libfuzzer_sys::fuzz_target;
use tollgate::dialect::{CapField, openai};

fuzz_target!(|data: &[u8]| {
    let write = |request: &_| openai::request::write(request, CapField::MaxCompletionTokens);
    tollgate_fuzz::request(data, openai::CANNOT, openai::request::read, write);
});
