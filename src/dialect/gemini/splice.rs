//! Changes a request for the provider in place: its cap on output, and the models that it names besides the path's.

use super::envelope::Spans;
use crate::dialect::splice::Patches;
use crate::dialect::{Edit, Endpoint, Envelope};
use crate::units::Tokens;

/// What makes `edit` in `body`, from which `envelope` was read, and leaves all else as it was.
///
/// A cap lowers the client's if that is above it, and is added where there is none, in the spelling of the config that it goes
/// into. Where a body names a model it is the one that is called, whatever it was. The usage always comes.
pub(in crate::dialect) fn patches(envelope: &Envelope, spans: &Spans, body: &[u8], edit: &Edit<'_>) -> Patches {
    let mut patches = Patches::default();
    let name = edit.model.strip_prefix("models/").unwrap_or(edit.model);
    let model = serde_json::Value::from(format!("models/{name}")).to_string();
    for span in &spans.models {
        if body.get(span.clone()) != Some(model.as_bytes()) {
            patches.replace(span, model.clone());
        }
    }
    if let Some(cap) = edit.output_cap.filter(|_| envelope.endpoint == Endpoint::Generate) {
        spans.cap_output(cap.tokens, body, &mut patches);
    }
    patches
}

impl Spans {
    fn cap_output(&self, cap: Tokens, body: &[u8], patches: &mut Patches) {
        let is_snake = self.config.as_ref().is_some_and(|(_, is_snake)| *is_snake);
        let member = format!("\"{}\":{cap}", if is_snake { "max_output_tokens" } else { "maxOutputTokens" });
        match (&self.cap_at, &self.config) {
            (Some(span), _) => {
                if self.cap.is_none_or(|given| given > cap) {
                    patches.replace(span, cap.to_string());
                }
            }
            (None, None) => patches.insert(self.start, format!("\"generationConfig\":{{{member}}},")),
            (None, Some((span, _))) => {
                let raw = body.get(span.clone()).unwrap_or_default();
                let mut rest = raw.iter().skip(1).skip_while(|byte| byte.is_ascii_whitespace());
                let inside = span.start.saturating_add(1);
                match (raw.first(), rest.next()) {
                    (Some(b'{'), Some(b'}')) => patches.insert(inside, member),
                    (Some(b'{'), _) => patches.insert(inside, format!("{member},")),
                    _ => patches.replace(span, format!("{{{member}}}")),
                }
            }
        }
    }
}
