//! Changes a request for the provider in place: its model, and its cap on output.

use super::envelope::Spans;
use crate::dialect::splice::Patches;
use crate::dialect::{Edit, Envelope};

/// What makes `edit` in the body from which `envelope` was read, and leaves all else as it was.
///
/// A cap above the new one is lowered; where there is none, it is added. A stream always ends with its usage.
pub(in crate::dialect) fn patches(envelope: &Envelope, spans: &Spans, edit: &Edit<'_>) -> Patches {
    let mut patches = Patches::default();
    if edit.model != envelope.model {
        patches.replace(&spans.model, serde_json::Value::from(edit.model).to_string());
    }
    if let Some(tokens) = edit.output_cap.map(|cap| cap.tokens)
        && envelope.output_cap.is_none_or(|given| given > tokens)
    {
        match &spans.cap {
            Some(at) => patches.replace(at, tokens.to_string()),
            None => patches.insert(spans.start, format!("\"max_output_tokens\":{tokens},")),
        }
    }
    patches
}
