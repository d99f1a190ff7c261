//! Looks at an answer in passing for the model and the usage that it tells of.
//!
//! What it holds is bounded. Of a JSON answer that is 1 MiB once texts of more than 1 KiB are left out, so a picture written
//! as text costs nothing; of a stream it is one frame. What is longer is passed on without being understood.

use super::usage;
use crate::chat::Usage;
use crate::dialect::service;
use crate::service::Service;
use crate::sse::Frames;
use serde_json::{Map, Value};

/// The most that is held of a JSON answer.
const JSON_BYTES_MAX: usize = 1_024 * 1_024;
/// The longest text in it that is kept.
const TEXT_BYTES_MAX: usize = 1_024;
/// The longest name of a model that is believed to be one.
const MODEL_BYTES_MAX: usize = 256;

/// What is known of one answer so far.
#[derive(Debug)]
pub struct Meter {
    form: Form,
    said: Said,
}

#[derive(Debug)]
enum Form {
    /// One JSON value.
    Json(Outline),
    /// Server-sent events.
    Events(Frames),
    /// Sound, pictures, whatever: nothing in it tells a usage.
    Other,
}

/// What an answer has said of itself.
#[derive(Debug, Default)]
struct Said {
    usage: Map<String, Value>,
    model: Option<String>,
    service: Service,
}

impl Meter {
    /// A meter for an answer of this content type.
    pub fn new(content_type: &str) -> Self {
        let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let form = match kind.as_str() {
            "text/event-stream" => Form::Events(Frames::new()),
            kind if kind == "application/json" || kind.ends_with("+json") => Form::Json(Outline::default()),
            _ => Form::Other,
        };
        Self { form, said: Said::default() }
    }

    /// Whether it finds anything in such an answer.
    pub const fn understands(&self) -> bool {
        !matches!(self.form, Form::Other)
    }

    /// Looks at the next bytes.
    pub fn push(&mut self, chunk: &[u8]) {
        let fits = match &mut self.form {
            Form::Json(outline) => outline.push(chunk),
            Form::Events(frames) => {
                let mut rest = chunk;
                frames.take_line_feed(&mut rest);
                loop {
                    match frames.next(&mut rest) {
                        Ok(Some(frame)) => self.said.event(frame.data().as_deref()),
                        Ok(None) => break true,
                        Err(_) => break false,
                    }
                }
            }
            Form::Other => true,
        };
        if !fits {
            self.form = Form::Other;
        }
    }

    /// The answer is over.
    pub fn finish(&mut self) {
        match &mut self.form {
            Form::Json(outline) => {
                if let Ok(answer) = serde_json::from_slice(&outline.kept) {
                    self.said.answer(&answer);
                }
            }
            Form::Events(frames) => {
                if let Some(frame) = frames.finish() {
                    self.said.event(frame.data().as_deref());
                }
            }
            Form::Other => {}
        }
        self.form = Form::Other;
    }

    /// The usage that it told of, the last word on each part of it.
    pub fn usage(&self) -> Option<Usage> {
        usage::read(&self.said.usage)
    }

    /// How it says that it was served.
    pub const fn service(&self) -> Service {
        self.said.service
    }

    /// The model that it says it is of.
    pub fn model(&self) -> Option<&str> {
        self.said.model.as_deref()
    }
}

impl Said {
    /// Reads a frame's data, if it can tell anything that is not known.
    fn event(&mut self, data: Option<&[u8]>) {
        let Some(data) = data else { return };
        let tells = |name: &[u8]| memchr::memmem::find(data, name).is_some();
        let tells_usage = || tells(b"\"usage") || (self.model.is_none() && tells(b"\"model"));
        let tells_service = || {
            tells(b"\"service") || tells(b"_call\"") || tells(b"\"groundingMetadata\"") || tells(b"\"url_citation\"")
        };
        if (tells_usage() || tells_service())
            && let Ok(event) = serde_json::from_slice(data)
        {
            self.answer(&event);
        }
    }

    /// Takes what an answer or an event says: by itself, or of the message or the response that it brings.
    fn answer(&mut self, answer: &Value) {
        self.service.add(service::of_any(answer));
        for value in [Some(answer), answer.get("message"), answer.get("response")].into_iter().flatten() {
            for name in ["usage", "usageMetadata"] {
                for (name, value) in value.get(name).and_then(Value::as_object).into_iter().flatten() {
                    if !value.is_null() {
                        self.usage.insert(name.clone(), value.clone());
                    }
                }
            }
            let model = ["model", "modelVersion"].into_iter().find_map(|name| value.get(name)?.as_str());
            let is_name =
                |model: &&str| (1..=MODEL_BYTES_MAX).contains(&model.len()) && !model.contains(char::is_control);
            if self.model.is_none() {
                self.model = model.filter(is_name).map(str::to_owned);
            }
        }
    }
}

/// A JSON value with its long texts left out.
#[derive(Debug, Default)]
struct Outline {
    kept: Vec<u8>,
    /// Where in `kept` the text begins that is being read.
    text: Option<usize>,
    /// The byte before was the `\` of an escape.
    escaped: bool,
    /// The text is one of those that are left out.
    long: bool,
}

impl Outline {
    /// Takes the next bytes; whether what is kept of them fits.
    fn push(&mut self, chunk: &[u8]) -> bool {
        for &byte in chunk {
            if !(self.long && self.is_inside(byte)) {
                self.kept.push(byte);
            }
            match self.text {
                None if byte == b'"' => self.text = Some(self.kept.len()),
                Some(_) if self.escaped => self.escaped = false,
                Some(_) if byte == b'\\' => self.escaped = true,
                Some(_) if byte == b'"' => (self.text, self.long) = (None, false),
                Some(start) if !self.long && self.kept.len().saturating_sub(start) > TEXT_BYTES_MAX => {
                    self.kept.truncate(start);
                    self.long = true;
                }
                _ => {}
            }
        }
        self.kept.len() <= JSON_BYTES_MAX
    }

    /// Whether `byte` is one of the text's, and not the quote that ends it.
    const fn is_inside(&self, byte: u8) -> bool {
        self.text.is_some() && (self.escaped || byte != b'"')
    }
}

#[cfg(test)]
#[path = "meter/tests.rs"]
mod tests;
