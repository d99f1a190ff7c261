//! How much is thought: in `thinking`, and how hard in `output_config`.
//!
//! | in the request | read as |
//! |---|---|
//! | `thinking` disabled | effort `none` |
//! | `thinking` enabled, with a budget | that budget, and the effort if one is given |
//! | `thinking` adaptive | the effort if one is given, or else any |
//! | an `effort` alone | that effort |
//!
//! Written, `minimal` is `low`, as there is nothing less, and the highest is `max`, which more models know than
//! `xhigh`. Older models know budgets only: an effort becomes one. A budget must be below the cap: it is lowered. One that would be less than 1,024 cannot be told.

use crate::chat::{Effort, Feature, Reasoning, Request, Used};
use crate::dialect::BadRequest;
use crate::dialect::members::Members;
use crate::units::Tokens;
use serde_json::{Value, json};

/// The least budget that the API takes.
pub(super) const BUDGET_MIN: Tokens = Tokens::new(1_024);
/// Anthropic's models that think within a budget only. It is whole: newer ones decide by themselves how much they think.
const BUDGETED: &[&str] = &[
    "claude-3",
    "claude-opus-4-2",
    "claude-sonnet-4-2",
    "claude-opus-4-1",
    "claude-opus-4-5",
    "claude-sonnet-4-5",
    "claude-haiku-4-5",
];
/// How hard a model thinks, by its word; of two words for one the first is written.
const EFFORTS: [(&str, Effort); 5] = [
    ("low", Effort::Low),
    ("medium", Effort::Medium),
    ("high", Effort::High),
    ("max", Effort::Highest),
    ("xhigh", Effort::Highest),
];

/// Reads `thinking`, and `effort` in `config`.
pub(super) fn read(
    members: &mut Members<'_, '_>,
    config: Option<&mut Members<'_, '_>>,
    request: &mut Request,
    used: &mut Used,
) -> Result<(), BadRequest> {
    let mut reasoning = None::<Reasoning>;
    if let Some(config) = config
        && let Some(word) = config.take("effort")
    {
        let effort = EFFORTS.iter().find(|(name, _)| word.as_str() == Some(name)).map(|(_, effort)| *effort);
        let right = "one of low, medium, high, xhigh, max";
        let effort = effort.ok_or_else(|| config.path().key("effort").wrong(right, word))?;
        reasoning.get_or_insert_default().effort = Some(effort);
        config.note(Feature::Reasoning, "effort", used);
    }
    let at = members.path().key("thinking");
    if let Some(thinking) = members.take("thinking") {
        let mut thinking = Members::of(thinking, &at)?;
        match thinking.needed_text("type", "give adaptive, enabled or disabled")? {
            "enabled" => {
                let budget = thinking.whole("budget_tokens")?;
                let budget = budget.ok_or_else(|| thinking.missing("budget_tokens", "give at least 1024"))?;
                reasoning.get_or_insert_default().budget = Some(Tokens::new(budget));
            }
            "adaptive" => drop(reasoning.get_or_insert_default()),
            "disabled" => reasoning.get_or_insert_default().effort = Some(Effort::None),
            _ => thinking.note(Feature::Foreign, "type", used),
        }
        if let Some(display) = thinking.text("display")? {
            reasoning.get_or_insert_default().told = Some(display != "omitted");
        }
        thinking.leave(&[], used);
        if reasoning.is_some() {
            used.note(Feature::Reasoning, at.to_string());
        }
    }
    request.reasoning = reasoning;
    Ok(())
}

/// Whether `model` thinks within a budget only, and knows no effort.
pub(in crate::dialect) fn is_budgeted(model: &str) -> bool {
    BUDGETED.iter().any(|name| model.contains(name))
}

/// What `thinking` is, and the effort, for an answer of `model` of at most `cap` tokens.
pub(super) fn write(reasoning: Option<&Reasoning>, model: &str, cap: Tokens) -> (Option<Value>, Option<&'static str>) {
    let Some(Reasoning { effort, budget, told }) = reasoning else { return (None, None) };
    let budgeted = is_budgeted(model) && *effort != Some(Effort::None);
    let (effort, budget) = if budgeted { (&None, &budget.or(effort.map(Effort::budget))) } else { (effort, budget) };
    if *effort == Some(Effort::None) || *budget == Some(Tokens::ZERO) {
        return (Some(json!({"type": "disabled"})), None);
    }
    let effort = effort.map(|effort| effort.max(Effort::Low));
    let word = EFFORTS.iter().find(|(_, known)| Some(*known) == effort).map(|(word, _)| *word);
    let lowered = budget.map(|budget| budget.min(cap.minus(Tokens::new(1)))).filter(|budget| *budget >= BUDGET_MIN);
    let mut thinking = match (lowered, budget) {
        (Some(budget), _) => json!({"type": "enabled", "budget_tokens": budget.get()}),
        (None, Some(_)) if word.is_none() => return (None, None),
        (None, None) if budgeted => return (None, None),
        _ => json!({"type": "adaptive"}),
    };
    if let (Some(told), Some(members)) = (told, thinking.as_object_mut()) {
        members.insert("display".to_owned(), if *told { "summarized" } else { "omitted" }.into());
    }
    (Some(thinking), word)
}
