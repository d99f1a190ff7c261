#![no_main]
use libfuzzer_sys::fuzz_target;
use tollgate::dialect::converse::{answer, fault};

fuzz_target!(|data: &[u8]| tollgate_fuzz::answer(data, answer::read, answer::write, |body| fault::read(body, None)));
