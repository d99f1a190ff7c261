#![no_main]
use libfuzzer_sys::fuzz_target;
use tollgate::dialect::anthropic;

fuzz_target!(|data: &[u8]| tollgate_fuzz::answer(data, anthropic::answer::read, anthropic::answer::write, anthropic::fault::read));
