//! The head of a native call's answer: what of the provider's own a client is told.

use super::Through;
use super::passage::Passage;
use crate::answer::{self, Told, media};
use crate::shell::visit::Answer;

impl Through {
    /// The head of the provider's answer becomes the client's. `lines`: what comes after those that [`answer::judge`] reads.
    pub(super) fn answered(&mut self, status: u16, content_type: &str, lines: &str) {
        let mut lines = lines.split('\n');
        let mut line = || lines.next().unwrap_or_default();
        let (retry_after, _, length) = (line(), line(), line());
        let (disposition, range, ranges, encoding) = (line(), line(), line(), line());
        let packed = !media::is_unpacked(encoding);
        // The length that it had before the platform unpacked it says nothing.
        let length = if matches!(encoding, "gzip" | "br") { "" } else { length };
        let (told_type, saved) = media::told(content_type);
        let target = self.hop().map(|hop| hop.target.clone());
        let told = Told { target: target.as_deref(), ..Told::nothing(self.visit.dialect) };
        let headers = answer::headers(&self.visit.id, told_type, &told, &self.visit.gauges);
        let mut headers = headers.strip_prefix("content-type\n\n").unwrap_or(&headers).to_owned();
        let is_head = self.native.method == "HEAD";
        for (name, value) in [
            ("retry-after", retry_after),
            ("content-disposition", if saved { "attachment" } else { disposition }),
            ("content-range", range),
            ("accept-ranges", ranges),
            ("content-encoding", if packed { encoding } else { "" }),
            ("content-length", if is_head { length } else { "" }),
        ] {
            if !value.is_empty() {
                headers.push_str(&format!("\n{name}\n{}", answer::printable(value)));
            }
        }
        if content_type.starts_with("text/event-stream") {
            headers.push_str("\ncache-control\nno-cache");
        }
        self.length = length.parse().ok();
        self.visit.answer = Answer { status, headers, text: String::new() };
        // Of what is packed nothing can be read.
        let read_as = if packed { "" } else { content_type };
        let made = self.makes().filter(|_| (200..300).contains(&status));
        self.passage = Some(Passage::new(read_as, !self.touch().looks, std::mem::take(&mut self.watch), made));
    }
}
