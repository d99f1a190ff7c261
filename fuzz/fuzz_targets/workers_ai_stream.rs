#![no_main]
use libfuzzer_sys::fuzz_target;
use tollgate::dialect::openai::stream::Writer;
use tollgate::dialect::workers_ai::stream::Reader;

fuzz_target!(|data: &[u8]| {
    let mut writer = Writer::new(&tollgate_fuzz::STAMP, true);
    tollgate_fuzz::stream(data, Reader::default, Reader::read, Reader::finish, |event, out| writer.write(event, out));
});
