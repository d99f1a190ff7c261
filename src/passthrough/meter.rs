//! Looks at an answer in passing for the model and the usage that it tells of, and counts what it says.
//!
//! What it holds is bounded by what it looks for, whatever the size of an answer, of an event of it, or of a text in that.

use super::pieces::{Line, Message, Piece};
use super::scan::{Scanner, Told};
use super::serving::Serving;
use super::usage;
use crate::chat::Usage;
use crate::service::Service;
use crate::units::Tokens;

/// What the lines of an event stream begin with that matter, and those between the parts of `multipart`.
const DATA: &[u8] = b"data:";
const BOUNDARY: &[u8] = b"--";
/// What usages call what came out.
const OUTPUT: [&str; 4] = ["completion_tokens", "output_tokens", "candidatesTokenCount", "outputTokens"];

/// What is known of one answer so far.
#[derive(Debug)]
pub struct Meter {
    form: Form,
    scanner: Scanner,
    serving: Serving,
    told: Told,
    /// What the parts before told, together.
    before: Option<Usage>,
    /// The answer came to its end.
    is_whole: bool,
}

#[derive(Debug)]
enum Form {
    /// JSON: one value, or one after the other.
    Json,
    /// Server-sent events.
    Events(Line),
    /// Answers with lines between them, each of which tells a usage of its own.
    Parts(Line),
    /// Amazon's event stream.
    Messages(Message),
    /// Sound, pictures, whatever: nothing in it tells a usage.
    Other,
}

impl Meter {
    /// A meter for an answer of this content type.
    pub fn new(content_type: &str) -> Self {
        let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let form = match kind.as_str() {
            "text/event-stream" => Form::Events(Line::default()),
            "application/vnd.amazon.eventstream" => Form::Messages(Message::default()),
            "application/json" | "text/json" | "application/json-seq" => Form::Json,
            kind if kind.ends_with("+json") || kind.ends_with("ndjson") || kind.ends_with("jsonl") => Form::Json,
            kind if kind.ends_with("jsonlines") || kind.ends_with("json-lines") => Form::Json,
            kind if kind.starts_with("multipart/") => Form::Parts(Line::default()),
            _ => Form::Other,
        };
        let serving = match form {
            Form::Json => Serving::new(false),
            Form::Events(_) => Serving::new(true),
            Form::Parts(_) | Form::Messages(_) | Form::Other => Serving::untold(),
        };
        Self { form, scanner: Scanner::default(), serving, told: Told::default(), before: None, is_whole: false }
    }

    /// Whether it finds anything in such an answer.
    pub const fn understands(&self) -> bool {
        !matches!(self.form, Form::Other)
    }

    /// Looks at the next bytes.
    pub fn push(&mut self, chunk: &[u8]) {
        self.serving.push(chunk);
        let Self { scanner, told, before, .. } = self;
        let mut rest = chunk;
        match &mut self.form {
            Form::Json => scanner.push(chunk, told),
            Form::Events(line) => {
                while let Some((piece, text)) = line.next(&mut rest, DATA) {
                    match piece {
                        Piece::Text => scanner.push(text, told),
                        Piece::End => scanner.reset(told),
                        Piece::Other => {}
                    }
                }
            }
            Form::Parts(line) => {
                while let Some((piece, text)) = line.next(&mut rest, BOUNDARY) {
                    match piece {
                        Piece::Text => {
                            scanner.reset(told);
                            *before = sum(*before, usage::read(&std::mem::take(&mut told.usage)));
                        }
                        Piece::End | Piece::Other => scanner.push(text, told),
                    }
                }
            }
            Form::Messages(message) => loop {
                match message.next(&mut rest) {
                    Ok(Some((Piece::Text, payload))) => scanner.push(payload, told),
                    Ok(Some((Piece::End, _))) => scanner.reset(told),
                    Ok(Some((Piece::Other, _))) => {}
                    Ok(None) => return,
                    Err(_) => {
                        self.form = Form::Other;
                        return;
                    }
                }
            },
            Form::Other => {}
        }
    }

    /// The answer is over: it came to its end.
    pub fn finish(&mut self) {
        self.serving.finish();
        self.scanner.reset(&mut self.told);
        self.is_whole = true;
    }

    /// How many bytes are held of it.
    pub const fn held(&self) -> usize {
        self.serving.held()
    }

    /// Lets go of what is held: how it was served is not known then. What it tells of a usage is.
    pub fn let_go(&mut self) {
        self.serving.let_go();
    }

    /// How it says that it was served.
    pub const fn service(&self) -> Service {
        self.serving.service()
    }

    /// The usage that it told of, the last word on each part of it; `None`: it told none, or more was to come. Of an answer that
    /// was cut, that is one that was told when the answer had ended, or one with output, after which nothing was said.
    pub fn usage(&self) -> Option<Usage> {
        let usage = self.said()?;
        let is_so_far = usage.output > Tokens::ZERO && self.told.since.is_empty();
        (!self.told.begun && (self.is_whole || self.told.is_last || is_so_far)).then_some(usage)
    }

    /// What it is taken to have used where it told no [`Meter::usage`]: what it told so far, and what was counted.
    pub fn reckoned(&self) -> Usage {
        let usage = self.said().unwrap_or_default();
        let since = usage.output.plus(self.told.since.plus(self.scanner.said()).whole());
        Usage { output: since.max(self.counted()), ..usage }
    }

    /// What was counted of all that it says.
    pub fn counted(&self) -> Tokens {
        self.told.said.plus(self.scanner.said()).whole()
    }

    /// Whether the usage that it told counts what came out, as that of an embedding does not.
    pub fn tells_output(&self) -> bool {
        OUTPUT.iter().any(|name| self.told.usage.contains_key(*name))
    }

    /// The model that it says it is of.
    pub fn model(&self) -> Option<&str> {
        self.told.model.as_deref()
    }

    fn said(&self) -> Option<Usage> {
        sum(self.before, usage::read(&self.told.usage))
    }
}

/// Both together.
fn sum(one: Option<Usage>, other: Option<Usage>) -> Option<Usage> {
    let (Some(a), Some(b)) = (one, other) else { return one.or(other) };
    Some(Usage {
        input: a.input.plus(b.input),
        cached_input: a.cached_input.plus(b.cached_input),
        cache_write: a.cache_write.plus(b.cache_write),
        cache_write_hour: a.cache_write_hour.plus(b.cache_write_hour),
        audio_input: a.audio_input.plus(b.audio_input),
        output: a.output.plus(b.output),
        reasoning: a.reasoning.plus(b.reasoning),
        audio_output: a.audio_output.plus(b.audio_output),
    })
}

#[cfg(test)]
#[path = "meter/tests.rs"]
mod tests;
