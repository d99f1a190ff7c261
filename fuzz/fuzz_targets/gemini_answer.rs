#![no_main]
use libfuzzer_sys::fuzz_target;
use tollgate::dialect::gemini;

fuzz_target!(|data: &[u8]| tollgate_fuzz::answer(data, gemini::answer::read, gemini::answer::write, gemini::fault::read));
