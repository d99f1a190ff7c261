//! Tells where the object that JSON text begins with ends, however the text is cut.

/// How far into the object the text so far goes.
#[derive(Debug, Default)]
pub(super) struct Extent {
    depth: u64,
    begun: bool,
    in_string: bool,
    after_backslash: bool,
}

impl Extent {
    /// Goes on by the next bit of the text.
    pub(super) fn add(&mut self, text: &str) {
        for byte in text.bytes() {
            if self.in_string {
                match byte {
                    _ if self.after_backslash => self.after_backslash = false,
                    b'\\' => self.after_backslash = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => (self.depth, self.begun) = (self.depth.saturating_add(1), true),
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// Whether all of it has come.
    pub(super) const fn is_whole(&self) -> bool {
        self.begun && self.depth == 0 && !self.in_string
    }
}
