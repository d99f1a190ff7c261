//! Cuts a byte stream into the frames of server-sent events, wherever its chunks begin and end.
//!
//! A frame is everything up to and with a blank line; a line ends with LF, CRLF or CR (WHATWG HTML,
//! section 9.2.6). A frame that lies whole in one chunk is lent from it; only a frame that is cut
//! is copied. What the data means is not known here.

use memchr::memchr2;
use std::borrow::Cow;

/// The most bytes one frame may have, its blank line included.
pub const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The memory that is kept from one frame to the next.
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// The frames of one stream: what is held of the frame that is not yet whole.
#[derive(Debug)]
pub struct Frames {
    held: Vec<u8>,
    /// `held` is a frame already lent out, to be dropped at the next call.
    spent: bool,
    /// Nothing of the current line has come yet.
    line_empty: bool,
    /// The last byte was a CR: an LF that follows belongs to the same line end.
    after_cr: bool,
}

/// A frame has more than [`FRAME_BYTES_MAX`] bytes. The stream cannot be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameTooLong;

/// One frame: its lines and the blank line that ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a>(&'a [u8]);

impl Default for Frames {
    fn default() -> Self {
        Self::new()
    }
}

impl Frames {
    /// A stream of which nothing has come yet.
    pub const fn new() -> Self {
        Self { held: Vec::new(), spent: false, line_empty: true, after_cr: false }
    }

    /// Takes the LF in front of `rest` that belongs to the frame given last: that frame was whole
    /// with the CR of its blank line, and the chunk was cut between the two. Ask before
    /// [`Frames::next`] at each new chunk.
    pub fn take_line_feed(&mut self, rest: &mut &[u8]) -> bool {
        let frame_is_new = self.spent || self.held.is_empty();
        match rest {
            [b'\n', tail @ ..] if frame_is_new && self.line_empty && self.after_cr => {
                *rest = tail;
                self.after_cr = false;
                true
            }
            _ => false,
        }
    }

    /// Takes the next whole frame from the front of `rest`; holds what is left when there is none.
    ///
    /// # Errors
    ///
    /// [`FrameTooLong`], whichever way the stream is cut.
    pub fn next<'s, 'c: 's>(&'s mut self, rest: &mut &'c [u8]) -> Result<Option<Frame<'s>>, FrameTooLong> {
        if self.spent {
            self.forget();
        }
        let Some(mut end) = self.frame_end(rest) else {
            if self.held.len().saturating_add(rest.len()) > FRAME_BYTES_MAX {
                return Err(FrameTooLong);
            }
            self.held.extend_from_slice(rest);
            *rest = &[];
            return Ok(None);
        };
        if self.held.len().saturating_add(end) > FRAME_BYTES_MAX {
            return Err(FrameTooLong);
        }
        if self.after_cr && rest.get(end) == Some(&b'\n') {
            self.after_cr = false;
            end = end.saturating_add(1);
        }
        let (frame, tail) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        *rest = tail;
        if self.held.is_empty() {
            return Ok(Some(Frame(frame)));
        }
        self.held.extend_from_slice(frame);
        self.spent = true;
        Ok(Some(Frame(&self.held)))
    }

    /// How many bytes of memory are held.
    pub const fn held(&self) -> usize {
        self.held.capacity()
    }

    /// Drops a frame that was lent out, and what memory it took if that was much.
    fn forget(&mut self) {
        self.spent = false;
        if self.held.capacity() > KEPT_BYTES_MAX {
            self.held = Vec::new();
        } else {
            self.held.clear();
        }
    }

    /// The frame that the stream ended within, as if its blank line had come; `None` at a border.
    pub fn finish(&mut self) -> Option<Frame<'_>> {
        if self.spent || self.held.is_empty() {
            return None;
        }
        let ending: &[u8] = if self.line_empty && !self.after_cr { b"\n" } else { b"\n\n" };
        self.held.extend_from_slice(ending);
        self.spent = true;
        Some(Frame(&self.held))
    }

    /// Where in `bytes` the current frame ends: just after its blank line.
    fn frame_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at: usize = 0;
        if self.after_cr && bytes.first() == Some(&b'\n') {
            at = 1;
        }
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let Some(length) = memchr2(b'\n', b'\r', rest) else {
                self.line_empty = false;
                self.after_cr = false;
                return None;
            };
            let frame_ends = self.line_empty && length == 0;
            self.line_empty = true;
            self.after_cr = rest.get(length) == Some(&b'\r');
            at = at.saturating_add(length).saturating_add(1);
            if frame_ends {
                return Some(at);
            }
            if self.after_cr && bytes.get(at) == Some(&b'\n') {
                self.after_cr = false;
                at = at.saturating_add(1);
            }
        }
        // The chunk ended with a line end; an LF eaten at its front ends no other line.
        self.after_cr = bytes.last().map_or(self.after_cr, |last| *last == b'\r');
        None
    }
}

impl<'a> Frame<'a> {
    /// The frame as it came.
    pub const fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// The name of the event; `None` where no `event` field gives one.
    pub fn event(self) -> Option<&'a [u8]> {
        self.fields().filter(|field| field.name == b"event").last().map(|field| field.value)
    }

    /// The values of the `data` fields, joined with LF; `None` for a frame without any.
    pub fn data(self) -> Option<Cow<'a, [u8]>> {
        let mut lines = self.data_lines();
        let first = lines.next()?;
        let Some(second) = lines.next() else {
            return Some(Cow::Borrowed(first.value));
        };
        let mut joined = [first.value, second.value].join(&b'\n');
        for line in lines {
            joined.push(b'\n');
            joined.extend_from_slice(line.value);
        }
        Some(Cow::Owned(joined))
    }

    /// The parts of the frame before and after `from..to` of its [`data`](Frame::data).
    pub fn around(self, from: usize, to: usize) -> (&'a [u8], &'a [u8]) {
        let cut = || {
            let start = self.offset_of(from)?;
            let end = self.offset_of(to.checked_sub(1)?)?.checked_add(1)?;
            Some((self.0.get(..start)?, self.0.get(end..)?))
        };
        cut().unwrap_or((self.0, &[]))
    }

    /// Where in the frame the byte `at` of its data stands.
    fn offset_of(self, at: usize) -> Option<usize> {
        let mut left = at;
        for line in self.data_lines() {
            if left < line.value.len() {
                return line.offset.checked_add(left);
            }
            left = left.checked_sub(line.value.len())?.checked_sub(1)?;
        }
        None
    }

    fn data_lines(self) -> impl Iterator<Item = Field<'a>> {
        self.fields().filter(|field| field.name == b"data")
    }

    const fn fields(self) -> Fields<'a> {
        Fields { bytes: self.0, at: 0 }
    }
}

/// A line of a frame, split at its first colon; a comment has no name.
struct Field<'a> {
    name: &'a [u8],
    value: &'a [u8],
    /// Where in the frame the value starts.
    offset: usize,
}

struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        loop {
            let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
            let length = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            let start = self.at;
            self.at = start.saturating_add(length).saturating_add(1);
            let line = rest.get(..length).filter(|line| !line.is_empty());
            let Some(line) = line else { continue };
            let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
            let (name, after) = line.split_at_checked(colon)?;
            let value = after.strip_prefix(b":").unwrap_or(after);
            let value = value.strip_prefix(b" ").unwrap_or(value);
            let offset = start.saturating_add(length).saturating_sub(value.len());
            return Some(Field { name, value, offset });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the frames of `stream`, cut at every two places.
    #[track_caller]
    fn check(stream: &str, frames: &[(&str, Option<&str>)]) {
        let owned = |text: &str| text.as_bytes().to_vec();
        let frames: Vec<_> = frames.iter().map(|(bytes, data)| (owned(bytes), data.map(owned))).collect();
        for first in 0..=stream.len() {
            for second in first..=stream.len() {
                let (head, tail) = stream.as_bytes().split_at(second);
                let (head, middle) = head.split_at(first);
                assert_eq!(cut([head, middle, tail]), frames, "cut at {first} and {second}");
            }
        }
    }

    type Owned = (Vec<u8>, Option<Vec<u8>>);

    fn cut(chunks: [&[u8]; 3]) -> Vec<Owned> {
        let (mut cutter, mut read) = (Frames::new(), Vec::<Owned>::new());
        for mut chunk in chunks {
            if cutter.take_line_feed(&mut chunk)
                && let Some((bytes, _)) = read.last_mut()
            {
                bytes.push(b'\n');
            }
            while let Ok(Some(frame)) = cutter.next(&mut chunk) {
                read.push((frame.bytes().to_vec(), frame.data().map(Cow::into_owned)));
            }
        }
        read
    }

    #[test]
    fn a_frame_ends_at_a_blank_line_of_any_kind() {
        check("data: a\n\ndata: b\n\n", &[("data: a\n\n", Some("a")), ("data: b\n\n", Some("b"))]);
        check("data:a\r\n\r\n:x\r\n\r\n", &[("data:a\r\n\r\n", Some("a")), (":x\r\n\r\n", None)]);
        check("data: a\r\rdata:  b\r\r", &[("data: a\r\r", Some("a")), ("data:  b\r\r", Some(" b"))]);
        check("data: a\r\n\rdata: b\n\r\n", &[("data: a\r\n\r", Some("a")), ("data: b\n\r\n", Some("b"))]);
        check("\n\r\n\rdata\n\n", &[("\n", None), ("\r\n", None), ("\r", None), ("data\n\n", Some(""))]);
        check("data: a\r\n\ndata: b\n\r", &[("data: a\r\n\n", Some("a")), ("data: b\n\r", Some("b"))]);
        check("data: held", &[]);
    }

    #[test]
    fn data_lines_are_joined_and_other_fields_passed_over() {
        let frame = Frame(b"event: x\ndata: ab\r\n: c\ndata:cd\nid: 7\ndata\n\n");
        assert_eq!(frame.data().as_deref(), Some(&b"ab\ncd\n"[..]));
        assert_eq!(frame.event(), Some(&b"x"[..]));
        let (head, tail) = (&b"event: x\ndata: a"[..], &b"d\nid: 7\ndata\n\n"[..]);
        assert_eq!(frame.around(1, 4), (head, tail));
        assert_eq!(frame.around(4, 5).1, b"\nid: 7\ndata\n\n");
        assert_eq!(frame.around(0, 99), (frame.bytes(), &b""[..]));
    }

    #[test]
    fn the_frame_a_stream_ends_within_gets_its_blank_line() {
        for (stream, whole) in [
            ("data: a", Some("data: a\n\n")),
            ("data: a\n", Some("data: a\n\n")),
            ("data: a\r", Some("data: a\r\n\n")),
            ("data: a\r\n", Some("data: a\r\n\n")),
            ("data: a\n\n", None),
            ("", None),
        ] {
            let mut frames = Frames::new();
            let mut rest = stream.as_bytes();
            while let Ok(Some(_)) = frames.next(&mut rest) {}
            assert_eq!(frames.finish().map(Frame::bytes), whole.map(str::as_bytes), "{stream:?}");
        }
    }

    #[test]
    fn a_frame_is_bounded_however_it_is_cut() {
        let body = |length: usize| [vec![b'x'; length], b"\n\n".to_vec()].concat();
        for (stream, fits) in [(body(FRAME_BYTES_MAX - 2), true), (body(FRAME_BYTES_MAX - 1), false)] {
            for size in [stream.len(), stream.len() - 1, 1 << 16] {
                let mut frames = Frames::new();
                let mut last = Ok(false);
                for mut chunk in stream.chunks(size) {
                    last = last.and_then(|_| frames.next(&mut chunk).map(|frame| frame.is_some()));
                }
                assert_eq!(last, if fits { Ok(true) } else { Err(FrameTooLong) }, "{size}");
            }
        }
    }
}
