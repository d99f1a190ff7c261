//! Looks at an answer in passing for how it says that it was served.
//!
//! What it holds is bounded: 1 MiB of a JSON answer once texts of more than 1 KiB are left out, one frame of a stream. What is
//! longer is passed on, and taken to be served as was asked for.

use crate::dialect::service;
use crate::service::Service;
use crate::sse::Frames;
use memchr::memmem;

/// The most that is held of a JSON answer.
const JSON_BYTES_MAX: usize = 1_024 * 1_024;
/// The longest text in it that is kept.
const TEXT_BYTES_MAX: usize = 1_024;
/// What an event that says how it was served has in it.
const WORDS: [&[u8]; 6] =
    [b"\"usage", b"\"service", b"_call\"", b"\"groundingMetadata\"", b"\"url_citation\"", b"\"quality\""];

/// What one answer has said so far of how it was served.
#[derive(Debug)]
pub(super) struct Serving {
    form: Form,
    service: Service,
}

#[derive(Debug)]
enum Form {
    /// One JSON value.
    Json(Outline),
    /// Server-sent events.
    Events(Frames),
    /// Nothing more is read.
    Other,
}

impl Serving {
    /// What an answer says that is one JSON value, or a stream of events.
    pub(super) fn new(is_events: bool) -> Self {
        let form = if is_events { Form::Events(Frames::new()) } else { Form::Json(Outline::default()) };
        Self { form, service: Service::UNTOLD }
    }

    /// Of an answer in which nothing says it.
    pub(super) const fn untold() -> Self {
        Self { form: Form::Other, service: Service::UNTOLD }
    }

    /// How it was served, as far as it said.
    pub(super) const fn service(&self) -> Service {
        self.service
    }

    /// How many bytes are held of it.
    pub(super) const fn held(&self) -> usize {
        match &self.form {
            Form::Json(outline) => outline.kept.len(),
            Form::Events(frames) => frames.held(),
            Form::Other => 0,
        }
    }

    /// Lets go of what is held, and takes the answer to be served as was asked for.
    pub(super) fn let_go(&mut self) {
        self.form = Form::Other;
    }

    /// Looks at the next bytes.
    pub(super) fn push(&mut self, chunk: &[u8]) {
        let fits = match &mut self.form {
            Form::Json(outline) => outline.push(chunk),
            Form::Events(frames) => {
                let mut rest = chunk;
                frames.take_line_feed(&mut rest);
                loop {
                    match frames.next(&mut rest) {
                        Ok(Some(frame)) => self.service.add(of_event(frame.data().as_deref())),
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
    pub(super) fn finish(&mut self) {
        match &mut self.form {
            Form::Json(outline) => {
                if let Ok(answer) = serde_json::from_slice(&outline.kept) {
                    self.service.add(service::of_any(&answer));
                }
            }
            Form::Events(frames) => {
                if let Some(frame) = frames.finish() {
                    self.service.add(of_event(frame.data().as_deref()));
                }
            }
            Form::Other => {}
        }
        self.form = Form::Other;
    }
}

/// What a frame's data says of it.
fn of_event(data: Option<&[u8]>) -> Service {
    let tells = |data: &&[u8]| WORDS.iter().any(|word| memmem::find(data, word).is_some());
    let event = data.filter(tells).and_then(|data| serde_json::from_slice(data).ok());
    event.map(|event| service::of_any(&event)).unwrap_or_default()
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
