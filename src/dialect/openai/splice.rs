//! Changes a request for the provider in place: its model, its cap on output, its usage switch.

use super::envelope::Envelope;
use crate::dialect::Endpoint;
use crate::units::Tokens;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// What to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edit<'a> {
    /// The name the provider knows the model by.
    pub model: &'a str,
    /// The cap to hold each choice to; `None` leaves the client's.
    pub output_cap: Option<OutputCap>,
    /// Have a stream end with its usage.
    pub usage: bool,
}

/// The most tokens each choice may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputCap {
    /// The cap.
    pub tokens: Tokens,
    /// The field to say it with where the client gave no cap.
    pub field: CapField,
}

/// The field of a request that caps its output: providers differ in which they know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapField {
    /// The older name, which nearly all providers know.
    MaxTokens,
    /// The newer name, which OpenAI's reasoning models insist on.
    MaxCompletionTokens,
}

impl CapField {
    /// The name of the field.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
        }
    }

    /// The field named `name`.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::MaxTokens, Self::MaxCompletionTokens].into_iter().find(|it| it.as_str() == name)
    }
}

impl Envelope {
    /// The bytes of `body`, from which this was read, with `edit` made and all else as it was.
    ///
    /// A cap lowers each field the client gave that is above it, and is added where there is none; the
    /// older field is also added beside the newer one, which providers that want the older may ignore.
    /// Beside a `prediction` the older one is added wherever: OpenAI refuses the newer there.
    /// Embeddings have no output to cap and no stream.
    pub fn splice(&self, body: &[u8], edit: &Edit<'_>) -> Vec<u8> {
        let mut patches = Patches::default();
        if edit.model != self.model {
            let model = serde_json::Value::from(edit.model).to_string();
            patches.replace(&self.spans.model, model);
        }
        if self.endpoint == Endpoint::Chat {
            if let Some(cap) = edit.output_cap {
                self.cap_output(cap, &mut patches);
            }
            if edit.usage && self.stream && !self.show_usage {
                self.ask_usage(body, &mut patches);
            }
        }
        patches.apply(body)
    }

    fn cap_output(&self, cap: OutputCap, patches: &mut Patches) {
        let fields = [
            (CapField::MaxTokens, self.max_tokens, &self.spans.max_tokens),
            (CapField::MaxCompletionTokens, self.max_completion_tokens, &self.spans.max_completion_tokens),
        ];
        let tokens = fields.iter().filter_map(|(_, given, _)| *given).fold(cap.tokens, Tokens::min);
        let uncapped = fields.iter().all(|(_, given, _)| given.is_none());
        let wanted = if self.shape.prediction_bytes > 0 && uncapped { CapField::MaxTokens } else { cap.field };
        for (field, given, span) in fields {
            let lower = given.is_some_and(|given| given > cap.tokens);
            let add = given.is_none() && field == wanted && (uncapped || field == CapField::MaxTokens);
            match span {
                Some(span) if lower => patches.replace(span, cap.tokens.to_string()),
                Some(span) if add => patches.replace(span, tokens.to_string()),
                None if add => {
                    let member = format!("\"{}\":{tokens},", field.as_str());
                    patches.insert(self.spans.start, member);
                }
                _ => {}
            }
        }
    }

    fn ask_usage(&self, body: &[u8], patches: &mut Patches) {
        const ASK: &str = "\"include_usage\":true";
        match (&self.spans.stream_options, &self.spans.include_usage) {
            (_, Some(member)) => patches.replace(member, "true".to_owned()),
            (None, None) => {
                patches.insert(self.spans.start, format!("\"stream_options\":{{{ASK}}},"));
            }
            (Some(options), None) => {
                let raw = body.get(options.clone()).unwrap_or_default();
                let mut members = raw.iter().skip(1).skip_while(|byte| byte.is_ascii_whitespace());
                match (raw.first(), members.next()) {
                    (Some(b'{'), Some(b'}')) => {
                        patches.insert(options.start.saturating_add(1), ASK.to_owned());
                    }
                    (Some(b'{'), _) => {
                        patches.insert(options.start.saturating_add(1), format!("{ASK},"));
                    }
                    _ => patches.replace(options, format!("{{{ASK}}}")),
                }
            }
        }
    }
}

/// Replacements that do not overlap.
#[derive(Default)]
struct Patches(Vec<(Range<usize>, String)>);

impl Patches {
    fn replace(&mut self, span: &Range<usize>, text: String) {
        self.0.push((span.clone(), text));
    }

    fn insert(&mut self, at: usize, text: String) {
        self.0.push((at..at, text));
    }

    fn apply(mut self, body: &[u8]) -> Vec<u8> {
        self.0.sort_by_key(|(span, _)| (span.start, span.end));
        let added = self.0.iter().map(|(_, text)| text.len()).sum::<usize>();
        let mut spliced = Vec::with_capacity(body.len().saturating_add(added));
        let mut at = 0;
        for (span, text) in self.0 {
            spliced.extend_from_slice(body.get(at..span.start).unwrap_or_default());
            spliced.extend_from_slice(text.as_bytes());
            at = span.end;
        }
        spliced.extend_from_slice(body.get(at..).unwrap_or_default());
        spliced
    }
}
