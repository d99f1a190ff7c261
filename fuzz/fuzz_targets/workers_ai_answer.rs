#![no_main]
use libfuzzer_sys::fuzz_target;
use tollgate::dialect::workers_ai::{answer, fault};

fuzz_target!(|data: &[u8]| tollgate_fuzz::answer(data, answer::read, answer::write, fault::read));
