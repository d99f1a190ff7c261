//! A stream as one JSON list, as Gemini gives it where `alt=sse` is not asked for.

use crate::sse::Frames;

/// Turns events into a list whose elements are what they say, each as soon as its event is whole.
#[derive(Debug, Default)]
pub struct List {
    frames: Frames,
    begun: bool,
    ended: bool,
}

impl List {
    /// What `events` add to the list; `last`: they are the end of the stream.
    pub fn take(&mut self, events: &[u8], last: bool) -> Vec<u8> {
        let (mut out, mut rest) = (Vec::with_capacity(events.len()), events);
        while let Ok(Some(frame)) = self.frames.next(&mut rest) {
            // A comment says nothing.
            let Some(data) = frame.data() else { continue };
            out.extend_from_slice(if self.begun { b",\r\n" } else { b"[" });
            out.extend_from_slice(&data);
            self.begun = true;
        }
        if last && !self.ended {
            out.extend_from_slice(if self.begun { b"]" } else { b"[]" });
            self.ended = true;
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_the_same_however_its_events_are_cut() {
        let events = b": ping\n\ndata: {\"a\":1}\r\n\r\ndata: {\"b\":\ndata: 2}\n\ndata: {\"c\":3}\n\n";
        for cut in 0..=events.len() {
            let (head, tail) = events.split_at(cut);
            let mut list = List::default();
            let told = [list.take(head, false), list.take(tail, true), list.take(b"", true)].concat();
            assert_eq!(String::from_utf8(told).unwrap(), "[{\"a\":1},\r\n{\"b\":\n2},\r\n{\"c\":3}]", "{cut}");
        }
        assert_eq!(List::default().take(b"", true), b"[]");
    }
}
