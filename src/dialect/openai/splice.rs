//! Changes a request for the provider in place: its model, its cap on output, its usage switch.

use super::envelope::Spans;
use crate::dialect::splice::Patches;
use crate::dialect::{CapField, Edit, Endpoint, Envelope, OutputCap};
use crate::units::Tokens;

/// What makes `edit` in `body`, from which `envelope` was read, and leaves all else as it was.
///
/// A cap lowers each field the client gave that is above it, and is added where there is none; the
/// older field is also added beside the newer one, which providers that want the older may ignore.
/// Beside a `prediction` the older one is added wherever: OpenAI refuses the newer there.
/// A plain completion knows the older one alone. Embeddings have no output to cap and no stream.
pub(in crate::dialect) fn patches(envelope: &Envelope, spans: &Spans, body: &[u8], edit: &Edit<'_>) -> Patches {
    let mut patches = Patches::default();
    if edit.model != envelope.model {
        let model = serde_json::Value::from(edit.model).to_string();
        patches.replace(&spans.model, model);
    }
    if envelope.endpoint.has_output() {
        if let Some(cap) = edit.output_cap {
            let older = envelope.endpoint == Endpoint::Completions || envelope.shape.prediction_bytes > 0;
            spans.cap_output(cap, older, &mut patches);
        }
        if edit.usage && envelope.stream && !envelope.show_usage {
            spans.ask_usage(body, &mut patches);
        }
    }
    patches
}

impl Spans {
    fn cap_output(&self, cap: OutputCap, older: bool, patches: &mut Patches) {
        let fields = [
            (CapField::MaxTokens, self.max_tokens, &self.max_tokens_at),
            (CapField::MaxCompletionTokens, self.max_completion_tokens, &self.max_completion_tokens_at),
        ];
        let tokens = fields.iter().filter_map(|(_, given, _)| *given).fold(cap.tokens, Tokens::min);
        let uncapped = fields.iter().all(|(_, given, _)| given.is_none());
        let wanted = if older && uncapped { CapField::MaxTokens } else { cap.field };
        for (field, given, span) in fields {
            let lower = given.is_some_and(|given| given > cap.tokens);
            let add = given.is_none() && field == wanted && (uncapped || field == CapField::MaxTokens);
            match span {
                Some(span) if lower => patches.replace(span, cap.tokens.to_string()),
                Some(span) if add => patches.replace(span, tokens.to_string()),
                None if add => {
                    let member = format!("\"{}\":{tokens},", field.as_str());
                    patches.insert(self.start, member);
                }
                _ => {}
            }
        }
    }

    fn ask_usage(&self, body: &[u8], patches: &mut Patches) {
        const ASK: &str = "\"include_usage\":true";
        match (&self.stream_options, &self.include_usage) {
            (_, Some(member)) => patches.replace(member, "true".to_owned()),
            (None, None) => {
                patches.insert(self.start, format!("\"stream_options\":{{{ASK}}},"));
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
