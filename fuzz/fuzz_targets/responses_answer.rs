#![no_main]
use libfuzzer_sys::fuzz_target;
use tollgate::dialect::responses;

fuzz_target!(|data: &[u8]| tollgate_fuzz::answer(data, responses::answer::read, responses::answer::write, responses::fault::read));
