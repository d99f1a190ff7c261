//! Walks JSON text without building values: where a member starts, where its value ends.
//!
//! For bytes a provider sends many times a second, of which most are passed over. Brackets and
//! strings are followed exactly; what a number or a literal says is not checked. Text that is not
//! JSON ends the walk with `None` or is passed over: it is never changed, for nothing is found in it.

use memchr::memchr2;

/// A place in JSON text.
#[derive(Clone)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A string as it is written, without its quotes.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    pub(crate) raw: &'a [u8],
    has_escape: bool,
}

/// The key of a member, and where the member starts: at the comma before it, or at its key.
pub(crate) struct Key<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) lead: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes lie before the cursor.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// The next byte that is not white space, in front of which the cursor then stands.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at)? {
                b' ' | b'\n' | b'\r' | b'\t' => self.step(1),
                byte => return Some(*byte),
            }
        }
    }

    /// Steps over `byte` if it comes next.
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.step(1);
        }
        found
    }

    /// Steps over an object, handing each key to `member`, which steps over the value.
    pub(crate) fn object(&mut self, mut member: impl FnMut(&mut Self, &Key<'a>) -> Option<()>) -> Option<()> {
        if !self.eat(b'{') {
            return None;
        }
        let mut lead = match self.peek()? {
            b'}' => return self.eat(b'}').then_some(()),
            _ => self.at,
        };
        loop {
            let name = self.string()?.raw;
            self.eat(b':').then_some(())?;
            member(self, &Key { name, lead })?;
            let next = self.peek()?;
            lead = self.at;
            self.step(1);
            match next {
                b',' => {}
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    /// Steps over an array, standing in front of each element when `element` is called.
    pub(crate) fn array(&mut self, mut element: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        if !self.eat(b'[') {
            return None;
        }
        if self.eat(b']') {
            return Some(());
        }
        loop {
            element(self)?;
            let next = self.peek()?;
            self.step(1);
            match next {
                b',' => {}
                b']' => return Some(()),
                _ => return None,
            }
        }
    }

    /// Steps over a string.
    pub(crate) fn string(&mut self) -> Option<Text<'a>> {
        if !self.eat(b'"') {
            return None;
        }
        let (start, mut has_escape) = (self.at, false);
        loop {
            let length = memchr2(b'"', b'\\', self.bytes.get(self.at..)?)?;
            self.step(length);
            if self.bytes.get(self.at) == Some(&b'"') {
                let raw = self.bytes.get(start..self.at)?;
                self.step(1);
                return Some(Text { raw, has_escape });
            }
            has_escape = true;
            self.step(2);
        }
    }

    /// Steps over any value and returns it as it is written.
    pub(crate) fn value(&mut self) -> Option<&'a [u8]> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => self.string().map(drop)?,
            b'{' | b'[' => self.brackets(|_, _| Some(()))?,
            _ => {
                let rest = self.bytes.get(start..)?;
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t');
                self.step(rest.iter().position(ends).unwrap_or(rest.len()));
            }
        }
        self.bytes.get(start..self.at).filter(|value| !value.is_empty())
    }

    /// Steps over any value, standing behind each string in it, keys too, when `each` is called with it.
    ///
    /// What `each` steps over must leave the brackets in balance.
    pub(crate) fn strings(&mut self, mut each: impl FnMut(&mut Self, Text<'a>) -> Option<()>) -> Option<()> {
        match self.peek()? {
            b'{' | b'[' => self.brackets(each),
            b'"' => {
                let text = self.string()?;
                each(self, text)
            }
            _ => self.value().map(drop),
        }
    }

    /// Steps over any value, handing each text in it to `each` with the key of the member that it is of, or is in a list of;
    /// `key` is that of the value itself.
    pub(crate) fn texts(&mut self, mut key: &'a [u8], mut each: impl FnMut(&[u8], Text<'a>)) -> Option<()> {
        let mut depth: usize = 0;
        loop {
            match self.peek()? {
                b'"' => {
                    let text = self.string()?;
                    match depth > 0 && self.peek() == Some(b':') {
                        true => key = text.raw,
                        false => each(key, text),
                    }
                }
                b'{' | b'[' => {
                    depth = depth.saturating_add(1);
                    self.step(1);
                }
                b'}' | b']' => {
                    (depth, key) = (depth.checked_sub(1)?, b"");
                    self.step(1);
                }
                _ if depth == 0 => return self.value().map(drop),
                _ => self.step(1),
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// Steps over an object or an array, however deep.
    fn brackets(&mut self, mut each: impl FnMut(&mut Self, Text<'a>) -> Option<()>) -> Option<()> {
        let mut depth: usize = 0;
        loop {
            match self.bytes.get(self.at)? {
                b'"' => {
                    let text = self.string()?;
                    each(self, text)?;
                    continue;
                }
                b'{' | b'[' => depth = depth.saturating_add(1),
                b'}' | b']' => depth = depth.checked_sub(1)?,
                _ => {}
            }
            self.step(1);
            if depth == 0 {
                return Some(());
            }
        }
    }

    const fn step(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }
}

/// The most values that JSON text may have which is read whole: each takes some hundred bytes then, however short it is.
pub(crate) const VALUES_MAX: usize = 100_000;

/// Whether JSON text has few enough values to be read whole.
pub(crate) fn fits(text: &[u8]) -> bool {
    text.len() <= VALUES_MAX || values(text) <= VALUES_MAX
}

/// How many values JSON text has at most, keys not counted. Text that is not JSON has any number.
fn values(text: &[u8]) -> usize {
    let mut cursor = Cursor::new(text);
    let mut count: usize = 1;
    while let Some(byte) = text.get(cursor.at) {
        match byte {
            b'"' => {
                if cursor.string().is_none() {
                    break;
                }
                continue;
            }
            b'{' | b'[' | b',' => count = count.saturating_add(1),
            _ => {}
        }
        cursor.step(1);
    }
    count
}

impl Text<'_> {
    /// How many bytes of UTF-8 the string stands for.
    pub(crate) fn len(self) -> usize {
        if self.has_escape { unescaped_len(self.raw) } else { self.raw.len() }
    }
}

/// The length of `raw` once its escapes are read; half of a surrogate pair counts as two bytes,
/// so that a pair makes the four of its character.
fn unescaped_len(raw: &[u8]) -> usize {
    let (mut rest, mut length) = (raw, 0_usize);
    loop {
        let (bytes, tail) = match rest {
            [] => return length,
            [b'\\', b'u', a, b, c, d, tail @ ..] => (escaped_len([*a, *b, *c, *d]), tail),
            [b'\\', _, tail @ ..] | [_, tail @ ..] => (1, tail),
        };
        length = length.saturating_add(bytes);
        rest = tail;
    }
}

/// The bytes of UTF-8 that `\uXXXX` stands for.
fn escaped_len(hex: [u8; 4]) -> usize {
    let digits = str::from_utf8(&hex).unwrap_or_default();
    match u16::from_str_radix(digits, 16).unwrap_or_default() {
        0..=0x7F => 1,
        0x80..=0x7FF | 0xD800..=0xDFFF => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_string_is_as_long_as_what_it_stands_for() {
        for text in ["", "plain", "\"\\\n", "é\u{1}你好🦀", "\u{7ff}\u{800}"] {
            let ascii: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            for json in [format!("\"{ascii}\""), serde_json::Value::from(text).to_string()] {
                let read = Cursor::new(json.as_bytes()).string().map(Text::len);
                assert_eq!(read, Some(text.len()), "{json}");
            }
        }
    }

    #[test]
    fn values_are_counted_but_not_what_strings_say() {
        for (text, most) in [("1", 1), ("[1,2,3]", 4), (r#"{"a":"[,{\"[","b":[{}]}"#, 5), (r#"["a"#, 2), ("", 1)] {
            assert_eq!(values(text.as_bytes()), most, "{text}");
        }
    }

    #[test]
    fn text_that_breaks_off_is_no_value() {
        for text in ["", " ", "\"a", "\"a\\\"", "{\"a\":[1,2}", "[[]", "]", ",", "{\"a\""] {
            assert_eq!(Cursor::new(text.as_bytes()).value(), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_stop_the_walk_badly(bytes in "[\\[\\]{}\",:\\\\u0a \n]{0,40}") {
            let mut cursor = Cursor::new(bytes.as_bytes());
            let _ = cursor.object(|cursor, _| cursor.value().map(drop));
            let _ = Cursor::new(bytes.as_bytes()).array(|cursor| cursor.value().map(drop));
            prop_assert!(unescaped_len(bytes.as_bytes()) <= bytes.len());
        }
    }
}
