#![no_main]
use libfuzzer_sys::fuzz_target;
use tollgate::aws::eventstream::{Broken, Messages};

type Read = (Vec<(String, Vec<u8>)>, Result<bool, Broken>);

fn read(stream: &[u8], size: usize) -> Read {
    let (mut messages, mut read) = (Messages::default(), Vec::new());
    for mut rest in stream.chunks(size) {
        loop {
            match messages.next(&mut rest) {
                Ok(Some(message)) => read.push((message.name().to_owned(), message.payload().to_vec())),
                Ok(None) => break,
                Err(broken) => return (read, Err(broken)),
            }
        }
    }
    (read, Ok(messages.is_whole()))
}

/// The message of `data`, whose first byte tells how much of it is headers, with the lengths and sums that are right.
fn message(data: &[u8]) -> Vec<u8> {
    let (length, data) = data.split_first().map_or((0, data), |(length, rest)| (usize::from(*length), rest));
    let headers = u32::try_from(length.min(data.len())).unwrap();
    let mut bytes = u32::try_from(data.len() + 16).unwrap().to_be_bytes().to_vec();
    bytes.extend_from_slice(&headers.to_be_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    bytes.extend_from_slice(data);
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    bytes
}

// However it is cut, a stream is the same messages, or breaks at the same; whether its sums are right or not.
fuzz_target!(|data: &[u8]| {
    let Some(size) = data.last() else { return };
    for stream in [data.to_vec(), [message(data), data.to_vec(), message(data)].concat(), [message(data), message(data)].concat()] {
        assert_eq!(read(&stream, usize::from(*size).max(1)), read(&stream, stream.len()));
    }
});
