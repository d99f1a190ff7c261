#![no_main]
use libfuzzer_sys::fuzz_target;
use tollgate::dialect::openai;

fuzz_target!(|data: &[u8]| tollgate_fuzz::answer(data, openai::answer::read, openai::answer::write, openai::fault::read));
