//! Reads JSON as it comes for what it tells of itself: the usage, the model; and counts the rest.
//!
//! Nothing else is kept, so neither the size of an answer nor its depth matters. One JSON value after the other is read, and
//! each element of a list that stands outermost: each is an answer, or an event of one. Brackets and strings are followed
//! exactly; what a number or a literal says is not checked, and bytes that are no JSON are passed over.

use crate::dialect::estimate::{Kind, Said};
use memchr::memchr2;
use serde_json::{Map, Value};

/// The most that is kept of a text: enough for the name of a model, be each of its letters escaped.
const TEXT_BYTES_MAX: usize = 2 * 1_024;
/// The most that is kept of a usage: no provider writes so many numbers.
const USAGE_BYTES_MAX: usize = 64 * 1_024;
/// The longest name of a model that is believed to be one.
const MODEL_BYTES_MAX: usize = 256;

/// What an answer has said of itself.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The members of its usage, the last word on each; of numbers the largest.
    pub(super) usage: Map<String, Value>,
    /// The usage is one that a message begins with: it is told again.
    pub(super) begun: bool,
    /// It was said that the answer ends, and then the usage: that is the last.
    ended: bool,
    pub(super) is_last: bool,
    pub(super) model: Option<String>,
    /// What it said, and what of it came after its usage.
    pub(super) said: Said,
    pub(super) since: Said,
}

/// A reader of JSON, in the middle of it.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    /// The brackets that are open.
    depth: u64,
    /// The depth at which the members of the answer stand; 0: none is open.
    answer: u64,
    /// The outermost value is a list.
    is_list: bool,
    /// The member of the answer that is open is its `message` or its `response`: what that tells counts, too.
    inner: Option<Inner>,
    text: Option<Open>,
    /// The length of the text that ended last, if only spaces came since: a key, should a colon follow.
    last: Option<usize>,
    /// The start of the text that is open or ended last, as it is written.
    word: Vec<u8>,
    /// The key of the value that is read.
    key: Key,
    kind: Kind,
    /// The usage that is open, and the depth that it stands at.
    usage: Option<(u64, Vec<u8>)>,
    /// A usage was told by the answer that is open; what that has said.
    told: bool,
    said: Said,
}

/// A text that is open.
#[derive(Clone, Copy, Debug, Default)]
struct Open {
    bytes: usize,
    escaped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inner {
    Message,
    Response,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Key {
    #[default]
    Other,
    Usage,
    Model,
    Type,
    /// Why the answer ends.
    Ending,
    Inner(Inner),
}

impl Scanner {
    /// Reads the next bytes.
    pub(super) fn push(&mut self, chunk: &[u8], told: &mut Told) {
        let mut rest = chunk;
        loop {
            if self.text.is_some() {
                rest = self.text(rest);
            } else if self.last.is_none() && self.usage.is_none() {
                // Of many numbers there is nothing to be known.
                let next = rest.iter().position(|byte| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']'));
                rest = rest.get(next.unwrap_or(rest.len())..).unwrap_or_default();
            }
            let Some((&byte, tail)) = rest.split_first() else { return };
            if self.text.is_none() {
                self.byte(byte, told);
                rest = tail;
            }
        }
    }

    /// What comes next begins anew: what is open is over.
    pub(super) fn reset(&mut self, told: &mut Told) {
        self.commit(told);
        if self.depth > 0 {
            self.end_answer(told);
        }
        *self = Self { word: std::mem::take(&mut self.word), ..Self::default() };
    }

    /// What the answer that is open has said so far.
    pub(super) const fn said(&self) -> Said {
        self.said
    }

    /// The bytes that are held.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.word.capacity().saturating_add(self.usage.as_ref().map_or(0, |(_, kept)| kept.capacity()))
    }

    /// Reads on in a text; what is left when it ends.
    fn text<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some(open) = &mut self.text else { return bytes };
        if open.escaped {
            open.escaped = false;
            let (byte, tail) = bytes.split_at_checked(1).unwrap_or((bytes, &[]));
            // The hexadecimal digits that follow make up for it: an escape stands for three bytes at the most.
            let is_point = byte == b"u";
            open.bytes = if is_point { open.bytes.saturating_sub(1) } else { open.bytes.saturating_add(1) };
            self.keep(byte);
            return tail;
        }
        let length = memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
        let (plain, tail) = bytes.split_at_checked(length).unwrap_or((bytes, &[]));
        open.bytes = open.bytes.saturating_add(length);
        self.keep(plain);
        let Some((&byte, tail)) = tail.split_first() else { return tail };
        if byte == b'\\' {
            self.keep(b"\\");
            self.text = self.text.map(|open| Open { escaped: true, ..open });
        } else {
            self.last = self.text.take().map(|open| open.bytes);
            self.keep_text();
        }
        tail
    }

    /// Keeps the start of a text.
    fn keep(&mut self, bytes: &[u8]) {
        let room = TEXT_BYTES_MAX.saturating_sub(self.word.len());
        self.word.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    /// Keeps the text that has ended, where a usage is read. One that is longer than what is kept of it says nothing there.
    fn keep_text(&mut self) {
        let Some((_, kept)) = self.usage.as_mut().filter(|(_, kept)| kept.len() < USAGE_BYTES_MAX) else { return };
        let is_whole = self.word.len() < TEXT_BYTES_MAX;
        kept.push(b'"');
        kept.extend_from_slice(if is_whole { &self.word } else { b"" });
        kept.push(b'"');
    }

    /// Reads a byte outside of texts.
    fn byte(&mut self, byte: u8, told: &mut Told) {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => return,
            b':' => self.name(),
            _ => self.commit(told),
        }
        if byte == b'"' {
            if self.depth > 0 {
                (self.text, self.last) = (Some(Open::default()), None);
                self.word.clear();
            }
            return;
        }
        if let Some((_, kept)) = &mut self.usage
            && kept.len() < USAGE_BYTES_MAX
        {
            kept.push(byte);
        }
        match byte {
            b'{' | b'[' => self.open(byte == b'{'),
            b'}' | b']' => self.close(told),
            _ => {}
        }
    }

    /// The text before was a key.
    fn name(&mut self) {
        if self.last.take().is_none() {
            return;
        }
        self.kind = Kind::of(&self.word);
        self.key = match self.word.as_slice() {
            b"finish_reason" | b"finishReason" | b"stop_reason" | b"stopReason" => Key::Ending,
            word if self.tells() => self.telling(unescaped(word).as_deref()),
            _ => Key::Other,
        };
    }

    /// What the member of this name tells of an answer.
    fn telling(&self, name: Option<&str>) -> Key {
        match name.unwrap_or_default() {
            "usage" | "usageMetadata" => Key::Usage,
            "model" | "modelVersion" => Key::Model,
            "type" => Key::Type,
            "message" if self.inner.is_none() => Key::Inner(Inner::Message),
            "response" if self.inner.is_none() => Key::Inner(Inner::Response),
            _ => Key::Other,
        }
    }

    /// The text before was a value.
    fn commit(&mut self, told: &mut Told) {
        let Some(bytes) = self.last.take() else { return };
        if self.usage.is_some() {
            return;
        }
        self.said.add(self.kind, bytes);
        match self.key {
            Key::Model if told.model.is_none() => {
                let is_name =
                    |model: &String| (1..=MODEL_BYTES_MAX).contains(&model.len()) && !model.contains(char::is_control);
                told.model = unescaped(&self.word).filter(is_name);
            }
            Key::Type => told.ended |= [&b"done"[..], b"completed"].iter().any(|end| self.word.ends_with(end)),
            Key::Ending => told.ended |= bytes > 0,
            _ => {}
        }
    }

    /// Whether what stands here is a member of the answer itself, or of the message or the response that it brings.
    const fn tells(&self) -> bool {
        let inner = if self.inner.is_some() { self.answer.saturating_add(1) } else { self.answer };
        self.answer > 0 && self.usage.is_none() && (self.depth == self.answer || self.depth == inner)
    }

    fn open(&mut self, is_object: bool) {
        match self.key {
            _ if !is_object || self.usage.is_some() || !self.tells() => {}
            Key::Usage => self.usage = Some((self.depth, b"{".to_vec())),
            Key::Inner(inner) if self.depth == self.answer => self.inner = Some(inner),
            _ => {}
        }
        if self.depth == 0 {
            self.is_list = !is_object;
        }
        if is_object && self.answer == 0 && self.depth == u64::from(self.is_list) {
            self.answer = self.depth.saturating_add(1);
        }
        self.depth = self.depth.saturating_add(1);
        self.key = Key::Other;
    }

    fn close(&mut self, told: &mut Told) {
        self.depth = self.depth.saturating_sub(1);
        (self.key, self.kind) = (Key::Other, Kind::Text);
        if let Some((depth, kept)) = self.usage.take_if(|(depth, _)| *depth >= self.depth) {
            let is_inner = depth > self.answer;
            self.told |= told.take(&kept, is_inner && self.inner == Some(Inner::Message));
        }
        if self.depth <= self.answer {
            self.inner = None;
        }
        if self.depth < self.answer {
            self.end_answer(told);
        }
    }

    fn end_answer(&mut self, told: &mut Told) {
        told.said = told.said.plus(self.said);
        told.is_last |= self.told && told.ended;
        told.since = if self.told { Said::default() } else { told.since.plus(self.said) };
        (self.answer, self.inner, self.told, self.said) = (0, None, false, Said::default());
    }
}

impl Told {
    /// Takes the members of a usage: whether it is one.
    fn take(&mut self, raw: &[u8], begun: bool) -> bool {
        let Ok(usage) = serde_json::from_slice::<Map<String, Value>>(raw) else { return false };
        let told: Vec<_> = usage.into_iter().filter(|(_, value)| !value.is_null()).collect();
        if told.is_empty() {
            return false;
        }
        self.begun = begun;
        for (name, value) in told {
            // What was used is not unused again.
            let before = self.usage.get(&name).and_then(Value::as_u64);
            if value.as_u64().is_none_or(|now| before.is_none_or(|before| before < now)) {
                self.usage.insert(name, value);
            }
        }
        true
    }
}

/// What the text that is written `raw` between its quotes says.
fn unescaped(raw: &[u8]) -> Option<String> {
    serde_json::from_slice(&[b"\"", raw, b"\""].concat()).ok()
}
