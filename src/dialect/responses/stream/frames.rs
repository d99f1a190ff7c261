//! The frames of a stream, numbered.

use serde::Serialize;

/// Where frames go.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// How many there were.
    count: u64,
    /// There are none: only what they add up to is of use.
    silent: bool,
}

impl Frames {
    pub(super) const fn silent() -> Self {
        Self { count: 0, silent: true }
    }

    /// Adds a frame of `kind` to `out`; `members` is an object with the rest of what it says.
    pub(super) fn send(&mut self, kind: &str, members: &impl Serialize, out: &mut Vec<u8>) {
        if self.silent {
            return;
        }
        let head = format!("event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":{}", self.count);
        self.count = self.count.saturating_add(1);
        out.extend_from_slice(head.as_bytes());
        // Texts, numbers and values cannot fail.
        let members = serde_json::to_vec(members).unwrap_or_default();
        match members.as_slice() {
            [b'{', b'}'] | [] => out.push(b'}'),
            [_, rest @ ..] => {
                out.push(b',');
                out.extend_from_slice(rest);
            }
        }
        out.extend_from_slice(b"\n\n");
    }
}
