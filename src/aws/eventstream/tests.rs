use super::*;
use proptest::prelude::*;

/// A message with these headers, each a string, and this payload.
pub(crate) fn message(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut raw = Vec::new();
    for (name, value) in headers {
        raw.push(u8::try_from(name.len()).unwrap());
        raw.extend_from_slice(name.as_bytes());
        raw.push(7);
        raw.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        raw.extend_from_slice(value.as_bytes());
    }
    framed(&raw, payload)
}

/// The message of an event or, where its name ends so, of an exception.
pub(crate) fn event(name: &str, payload: &[u8]) -> Vec<u8> {
    let is_exception = name.ends_with("Exception");
    let kind = if is_exception { "exception" } else { "event" };
    let named = if is_exception { ":exception-type" } else { ":event-type" };
    message(&[(named, name), (":content-type", "application/json"), (":message-type", kind)], payload)
}

fn framed(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + headers.len() + payload.len()).unwrap();
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend_from_slice(&u32::try_from(headers.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    bytes.extend_from_slice(headers);
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
    bytes
}

type Read = (Vec<(String, Vec<u8>)>, Result<bool, Broken>);

/// The messages that come in `chunks`, and whether the stream ended between two, or what broke it.
fn read<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let (mut messages, mut read) = (Messages::default(), Vec::new());
    for mut rest in chunks {
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

fn whole(bytes: &[u8]) -> Read {
    read([bytes])
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let one = ("[a-z]{0,6}", prop::collection::vec(any::<u8>(), 0..40), any::<bool>());
    let one = one
        .prop_map(|(name, payload, fails)| event(&format!("{name}{}", if fails { "Exception" } else { "" }), &payload));
    prop::collection::vec(one, 0..5).prop_map(|messages| messages.concat())
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_messages(bytes in stream(), end in any::<usize>(), cuts in prop::collection::vec(any::<usize>(), 0..8)) {
        let bytes = &bytes[..if end.is_multiple_of(2) { bytes.len() } else { end % (bytes.len() + 1) }];
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let chunks = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
        prop_assert_eq!(read(chunks), whole(bytes));
        prop_assert_eq!(read(bytes.chunks(1)), whole(bytes));
    }

    #[test]
    fn a_flipped_bit_is_an_error(payload in prop::collection::vec(any::<u8>(), 0..40), bit in any::<usize>()) {
        let mut bytes = event("contentBlockDelta", &payload);
        let bit = bit % (bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(whole(&bytes), (Vec::new(), Err(Broken::Checksum)));
        prop_assert_eq!(read(bytes.chunks(1)), (Vec::new(), Err(Broken::Checksum)));
    }

    #[test]
    fn any_bytes_at_all_may_come(bytes in prop::collection::vec(any::<u8>(), 0..200), headers in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = whole(&bytes);
        prop_assert!(whole(&framed(&headers, &bytes)).1.is_ok_and(|whole| whole) || Headers::read(&headers).is_none());
    }
}

#[test]
fn what_a_message_is_stands_in_its_headers() {
    for (headers, name, payload) in [
        (&[(":message-type", "event"), (":event-type", "messageStart")][..], "messageStart", "{}"),
        (&[(":message-type", "exception"), (":exception-type", "throttlingException")], "throttlingException", "{}"),
        (
            &[(":message-type", "error"), (":error-code", "InternalError"), (":error-message", "It \"broke\".")],
            "error",
            r#"{"__type":"InternalError","message":"It \"broke\"."}"#,
        ),
        (&[(":message-type", "news"), (":event-type", "messageStart")], "", "{}"),
        (&[], "", "{}"),
    ] {
        let read = whole(&message(headers, b"{}"));
        assert_eq!(read, (vec![(name.to_owned(), payload.as_bytes().to_vec())], Ok(true)), "{headers:?}");
    }
}

#[test]
fn headers_of_every_type_are_passed_over() {
    let mut headers = Vec::new();
    let sizes: [(u8, &[u8]); 9] = [
        (0, &[]),
        (1, &[]),
        (2, &[9; 1]),
        (3, &[9; 2]),
        (4, &[9; 4]),
        (5, &[9; 8]),
        (6, &[0, 1, 9]),
        (8, &[9; 8]),
        (9, &[9; 16]),
    ];
    for (kind, value) in sizes {
        headers.extend_from_slice(&[1, b'x', kind]);
        headers.extend_from_slice(value);
    }
    assert_eq!(whole(&framed(&headers, b"p")), (vec![(String::new(), b"p".to_vec())], Ok(true)));
    for bad in [
        &[1, b'x', 10][..],
        &[1, b'x'],
        &[9, b'x'],
        &[1, b'x', 7, 0, 2, b'y'],
        b"\x0b:event-type\x07\x00\x01\xff",
        b"\x0b:event-type\x00",
    ] {
        assert_eq!(whole(&framed(bad, b"p")), (Vec::new(), Err(Broken::Malformed)), "{bad:?}");
    }
}

#[test]
fn a_message_is_bounded_before_it_has_come() {
    let prelude = |length: u32, headers: u32| {
        let mut bytes = [length.to_be_bytes(), headers.to_be_bytes()].concat();
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
        bytes
    };
    let max = u32::try_from(MESSAGE_BYTES_MAX).unwrap();
    for (length, headers, read) in [
        (max, 0, Ok(false)),
        (max + 1, 0, Err(Broken::TooLong)),
        (u32::MAX, u32::MAX, Err(Broken::TooLong)),
        (15, 0, Err(Broken::Malformed)),
        (20, 5, Err(Broken::Malformed)),
        (20, u32::MAX, Err(Broken::Malformed)),
        (0, 0, Err(Broken::Malformed)),
    ] {
        assert_eq!(whole(&prelude(length, headers)).1, read, "{length} {headers}");
    }
    let largest = framed(&[], &vec![0; MESSAGE_BYTES_MAX - 16]);
    assert_eq!(whole(&largest).0.len(), 1);
}
