//! Changes a request for the provider in place: its model, and its cap with the budget of thought below it.

use super::envelope::Spans;
use super::reasoning::BUDGET_MIN;
use crate::dialect::splice::Patches;
use crate::dialect::{Edit, Envelope};
use crate::units::Tokens;

/// What makes `edit` in the body from which `envelope` was read, and leaves all else as it was.
///
/// Only a cap that is above the new one is lowered; a budget that then is not below it is lowered too, or `thinking` taken
/// out where less than the least budget is left: the API would refuse it. A stream always tells its usage.
pub(in crate::dialect) fn patches(envelope: &Envelope, spans: &Spans, edit: &Edit<'_>) -> Patches {
    let mut patches = Patches::default();
    if edit.model != envelope.model {
        patches.replace(&spans.model, serde_json::Value::from(edit.model).to_string());
    }
    let lowered = edit.output_cap.map(|cap| cap.tokens);
    if let (Some(lowered), Some((_, at))) = (lowered, spans.cap.as_ref().filter(|(cap, _)| Some(*cap) > lowered)) {
        patches.replace(at, lowered.to_string());
        let below = lowered.minus(Tokens::new(1));
        match &spans.budget {
            Some((budget, at)) if *budget > below && below >= BUDGET_MIN => patches.replace(at, below.to_string()),
            Some((budget, _)) if *budget > below => patches.replace(&spans.thinking, String::new()),
            _ => {}
        }
    }
    patches
}
