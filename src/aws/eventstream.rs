//! Cuts a byte stream into the messages of `application/vnd.amazon.eventstream`, wherever its chunks begin and end.
//!
//! A message is its length, that of its headers and the CRC of both; headers; a payload; and the CRC of all that. All
//! numbers are big-endian. A message that lies whole in one chunk is lent from it; only one that is cut is copied. What
//! the payload means is not known here.
//!
//! Source: the specification of Amazon's event stream encoding, in that of Smithy.

use std::borrow::Cow;

#[cfg(test)]
pub(crate) mod tests;

/// The most bytes a message may have, all told.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The memory that is kept from one message to the next.
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// Two lengths and their CRC.
const PRELUDE_BYTES: usize = 12;
const CRC_BYTES: usize = 4;

/// The messages of one stream: what is held of the message that is not yet whole.
#[derive(Debug, Default)]
pub struct Messages {
    held: Vec<u8>,
    /// `held` is a message already lent out, to be dropped at the next call.
    spent: bool,
}

/// The stream cannot be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A message has more than [`MESSAGE_BYTES_MAX`] bytes.
    TooLong,
    /// A checksum does not fit what it is of.
    Checksum,
    /// A length or a header makes no sense.
    Malformed,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    name: &'a str,
    payload: Cow<'a, [u8]>,
}

impl Messages {
    /// Takes the next whole message from the front of `rest`; holds what is left when there is none.
    ///
    /// # Errors
    /// [`Broken`], whichever way the stream is cut.
    pub fn next<'s, 'c: 's>(&'s mut self, rest: &mut &'c [u8]) -> Result<Option<Message<'s>>, Broken> {
        if self.spent {
            self.spent = false;
            if self.held.capacity() > KEPT_BYTES_MAX {
                self.held = Vec::new();
            }
            self.held.clear();
        }
        if self.held.is_empty()
            && let Some(length) = length(rest)?
            && let Some((message, tail)) = rest.split_at_checked(length)
        {
            *rest = tail;
            return Message::read(message).map(Some);
        }
        self.hold(PRELUDE_BYTES, rest);
        let Some(length) = length(&self.held)? else { return Ok(None) };
        self.hold(length, rest);
        if self.held.len() < length {
            return Ok(None);
        }
        self.spent = true;
        Message::read(&self.held).map(Some)
    }

    /// How many bytes of memory are held.
    pub const fn held(&self) -> usize {
        self.held.capacity()
    }

    /// Whether all that came is whole messages.
    pub fn is_whole(&self) -> bool {
        self.spent || self.held.is_empty()
    }

    /// Holds so much of `rest` that `length` bytes are held, or all of it.
    fn hold(&mut self, length: usize, rest: &mut &[u8]) {
        let wanted = length.saturating_sub(self.held.len()).min(rest.len());
        let (taken, tail) = rest.split_at_checked(wanted).unwrap_or((rest, &[]));
        self.held.extend_from_slice(taken);
        *rest = tail;
    }
}

impl<'a> Message<'a> {
    /// The name of the event or of the exception that it is, as its headers tell it; `error` for an error without one.
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// What it carries. Of an error without a name that is what its headers tell: `__type` and `message`.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Reads the whole message `bytes`, whose prelude was found right.
    fn read(bytes: &'a [u8]) -> Result<Self, Broken> {
        let (rest, crc) = bytes.split_last_chunk::<CRC_BYTES>().ok_or(Broken::Malformed)?;
        if crc32fast::hash(rest) != u32::from_be_bytes(*crc) {
            return Err(Broken::Checksum);
        }
        let headers_length = number(bytes, 4).ok_or(Broken::Malformed)?;
        let rest = rest.get(PRELUDE_BYTES..).ok_or(Broken::Malformed)?;
        let (headers, payload) = rest.split_at_checked(headers_length).ok_or(Broken::Malformed)?;
        let headers = Headers::read(headers).ok_or(Broken::Malformed)?;
        Ok(match headers.message_type {
            "event" => Self { name: headers.event_type, payload: payload.into() },
            "exception" => Self { name: headers.exception_type, payload: payload.into() },
            "error" => {
                let body = serde_json::json!({"__type": headers.error_code, "message": headers.error_message});
                Self { name: "error", payload: body.to_string().into_bytes().into() }
            }
            _ => Self { name: "", payload: payload.into() },
        })
    }
}

/// The headers that are known here; empty where there is none.
#[derive(Default)]
struct Headers<'a> {
    message_type: &'a str,
    event_type: &'a str,
    exception_type: &'a str,
    error_code: &'a str,
    error_message: &'a str,
}

impl<'a> Headers<'a> {
    /// Reads headers; `None` where they are none.
    fn read(mut bytes: &'a [u8]) -> Option<Self> {
        let mut headers = Self::default();
        while let Some((length, rest)) = bytes.split_first() {
            let (name, rest) = rest.split_at_checked(usize::from(*length))?;
            let (kind, rest) = rest.split_first()?;
            let (length, rest) = match kind {
                0 | 1 => (0, rest),
                2 => (1, rest),
                3 => (2, rest),
                4 => (4, rest),
                5 | 8 => (8, rest),
                6 | 7 => {
                    let (length, rest) = rest.split_first_chunk::<2>()?;
                    (usize::from(u16::from_be_bytes(*length)), rest)
                }
                9 => (16, rest),
                _ => return None,
            };
            let (value, rest) = rest.split_at_checked(length)?;
            bytes = rest;
            let place = match name {
                b":message-type" => &mut headers.message_type,
                b":event-type" => &mut headers.event_type,
                b":exception-type" => &mut headers.exception_type,
                b":error-code" => &mut headers.error_code,
                b":error-message" => &mut headers.error_message,
                _ => continue,
            };
            *place = str::from_utf8(value).ok().filter(|_| *kind == 7)?;
        }
        Some(headers)
    }
}

/// The length of the message that `bytes` begin with; `None` until its prelude is whole.
fn length(bytes: &[u8]) -> Result<Option<usize>, Broken> {
    let Some((prelude, _)) = bytes.split_at_checked(PRELUDE_BYTES) else { return Ok(None) };
    let (lengths, crc) = prelude.split_last_chunk::<CRC_BYTES>().ok_or(Broken::Malformed)?;
    if crc32fast::hash(lengths) != u32::from_be_bytes(*crc) {
        return Err(Broken::Checksum);
    }
    let (Some(length), Some(headers)) = (number(lengths, 0), number(lengths, 4)) else { return Err(Broken::TooLong) };
    if length > MESSAGE_BYTES_MAX {
        return Err(Broken::TooLong);
    }
    let least = headers.checked_add(PRELUDE_BYTES.saturating_add(CRC_BYTES));
    if least.is_none_or(|least| length < least) {
        return Err(Broken::Malformed);
    }
    Ok(Some(length))
}

/// The number of four bytes at `at`.
fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let (number, _) = bytes.get(at..)?.split_first_chunk::<4>()?;
    usize::try_from(u32::from_be_bytes(*number)).ok()
}
