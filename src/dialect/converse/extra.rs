//! What only the models of one vendor know: the object `additionalModelRequestFields`, which Bedrock hands on to them.
//!
//! | models | thought | `top_k` |
//! |---|---|---|
//! | Anthropic's | `thinking`, and `output_config.effort` beside it | `top_k` |
//! | Amazon's | `reasoningConfig.maxReasoningEffort`: `low`, `medium`, `high` | `inferenceConfig.topK` |
//! | OpenAI's numbered ones | `reasoning.effort` | `top_k` |
//! | others, `gpt-oss` among them | `reasoning_effort` | `top_k` |
//!
//! A budget is an effort where only that is known: 0 is `none`, up to 1,024 `minimal`, 4,096 `low`, 16,384 `medium`, and
//! more `high`. An effort is a budget for those of Anthropic's models that know nothing else: `minimal` 1,024, `low`
//! 4,096, `medium` 16,384, `high` and above 32,768, but less than the cap of the output. They know no `minimal` effort,
//! and are asked for `low`.
//!
//! Source: the model pages of Amazon Bedrock's user guide; Anthropic's pages on extended and on adaptive thinking.

use super::field::Field;
use crate::chat::{Effort, Feature, Reasoning, Request, ToolChoice, Used};
use crate::dialect::BadRequest;
use crate::dialect::anthropic::reasoning::is_budgeted;
use crate::units::Tokens;
use serde_json::{Map, Value, json};

/// The least budget that Anthropic's models take.
const BUDGET_MIN: u64 = 1024;

/// Whose a model is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Vendor {
    Anthropic { budgeted: bool },
    Amazon,
    OpenAi,
    Other,
}

impl Vendor {
    /// Whose `model` is, by its name; that of a profile which names none is [`Vendor::Other`].
    fn of(model: &str) -> Self {
        if model.contains("anthropic.") || model.contains("claude") {
            return Self::Anthropic { budgeted: is_budgeted(model) };
        }
        if model.contains("amazon.nova") {
            return Self::Amazon;
        }
        let after = model.split("openai.gpt-").nth(1).and_then(|rest| rest.chars().next());
        if after.is_some_and(|first| first.is_ascii_digit()) { Self::OpenAi } else { Self::Other }
    }
}

/// Whether `model` tells which stop sequence came, and can be told to call no tool.
pub(super) fn is_anthropic(model: &str) -> bool {
    matches!(Vendor::of(model), Vendor::Anthropic { .. })
}

/// Writes the object; `no_tools`: the model is to call none of those that it is shown.
pub(super) fn write(request: &Request, no_tools: bool) -> Map<String, Value> {
    let vendor = Vendor::of(&request.model);
    let mut extra = Map::new();
    if let Some(top_k) = request.sampling.top_k {
        match vendor {
            Vendor::Amazon => extra.insert("inferenceConfig".to_owned(), json!({"topK": top_k})),
            _ => extra.insert("top_k".to_owned(), top_k.into()),
        };
    }
    if no_tools && is_anthropic(&request.model) {
        extra.insert("tool_choice".to_owned(), json!({"type": "none"}));
    }
    let Some(reasoning) = &request.reasoning else { return extra };
    if let Vendor::Anthropic { budgeted } = vendor {
        write_thinking(reasoning, budgeted, request.output_cap, &mut extra);
        return extra;
    }
    let Some(effort) = reasoning.effort() else { return extra };
    match vendor {
        Vendor::Amazon if effort == Effort::None => {
            extra.insert("reasoningConfig".to_owned(), json!({"type": "disabled"}));
        }
        Vendor::Amazon => {
            let effort = effort.clamp(Effort::Low, Effort::High).word();
            extra.insert("reasoningConfig".to_owned(), json!({"type": "enabled", "maxReasoningEffort": effort}));
        }
        Vendor::OpenAi => {
            extra.insert("reasoning".to_owned(), json!({"effort": effort.word()}));
        }
        _ => {
            extra.insert("reasoning_effort".to_owned(), effort.word().into());
        }
    }
    extra
}

/// Writes how much one of Anthropic's models thinks, and whether it tells.
fn write_thinking(reasoning: &Reasoning, budgeted: bool, cap: Option<Tokens>, extra: &mut Map<String, Value>) {
    let Reasoning { effort, budget, told } = reasoning;
    let mut thinking = Map::new();
    let mut say = |name: &str, value: Value| thinking.insert(name.to_owned(), value);
    match (effort, budget.map(Tokens::get)) {
        (Some(Effort::None), _) | (_, Some(0)) => drop(say("type", "disabled".into())),
        (_, Some(budget)) => {
            say("type", "enabled".into());
            say("budget_tokens", budget.into());
        }
        (Some(effort), None) if budgeted => {
            let budget = effort.budget().get().min(cap.map_or(u64::MAX, |cap| cap.get().saturating_sub(1)));
            if budget < BUDGET_MIN {
                return;
            }
            say("type", "enabled".into());
            say("budget_tokens", budget.into());
        }
        (None, None) if budgeted => return,
        (_, None) => drop(say("type", "adaptive".into())),
    }
    let thinks = thinking.get("type").is_some_and(|kind| kind != "disabled");
    if let (Some(told), true, false) = (told, thinks, budgeted) {
        thinking.insert("display".to_owned(), if *told { "summarized" } else { "omitted" }.into());
    }
    extra.insert("thinking".to_owned(), thinking.into());
    if let (Some(effort), true, false) = (effort, thinks, budgeted) {
        let word = match effort {
            Effort::Highest => "max",
            other => (*other).max(Effort::Low).word(),
        };
        extra.insert("output_config".to_owned(), json!({"effort": word}));
    }
}

/// Reads the object, whosever model it is for.
pub(super) fn read(extra: &Field<'_>, request: &mut Request, used: &mut Used) -> Result<(), BadRequest> {
    let known =
        ["top_k", "inferenceConfig", "tool_choice", "thinking", "output_config", "reasoningConfig", "reasoning"];
    extra.note_others(&[&known[..], &["reasoning_effort"]].concat(), Feature::Foreign, used)?;
    let amazon = extra.get("inferenceConfig").and_then(|config| config.get("topK"));
    if let Some(top_k) = extra.get("top_k").or(amazon) {
        request.sampling.top_k = Some(top_k.value.as_u64().ok_or_else(|| top_k.bad("a whole number"))?);
        used.note(Feature::TopK, top_k.path);
    }
    if let Some(choice) = extra.get("tool_choice") {
        if choice.text_of("type")? == "none" {
            request.tool_choice = Some(ToolChoice::None);
            used.note(Feature::ToolChoice, choice.path);
        } else {
            used.note(Feature::Foreign, choice.path);
        }
    }
    let mut reasoning = None;
    if let Some(thinking) = extra.get("thinking") {
        reasoning = Some(read_thinking(&thinking)?);
        used.note(Feature::Reasoning, thinking.path);
    }
    let amazon = extra.get("reasoningConfig");
    let efforts = [
        extra.get("output_config").and_then(|config| config.get("effort")),
        extra.get("reasoning").and_then(|config| config.get("effort")),
        amazon.as_ref().and_then(|config| config.get("maxReasoningEffort")),
        extra.get("reasoning_effort"),
    ];
    if let Some(effort) = efforts.into_iter().flatten().next() {
        let known = effort.value.as_str().and_then(Effort::named);
        let known = known.ok_or_else(|| effort.bad("an effort, such as \"low\", \"medium\" or \"high\""))?;
        reasoning.get_or_insert_with(Reasoning::default).effort = Some(known);
        used.note(Feature::Reasoning, effort.path);
    } else if let Some(config) = amazon {
        let off = config.text_of("type")? == "disabled";
        reasoning = Some(Reasoning { effort: off.then_some(Effort::None), ..Reasoning::default() });
        used.note(Feature::Reasoning, config.path);
    }
    request.reasoning = reasoning;
    Ok(())
}

fn read_thinking(thinking: &Field<'_>) -> Result<Reasoning, BadRequest> {
    let mut reasoning = Reasoning::default();
    match thinking.text_of("type")? {
        "disabled" => reasoning.effort = Some(Effort::None),
        "enabled" => {
            let budget = thinking.get("budget_tokens");
            let tokens = budget.as_ref().and_then(|budget| budget.value.as_u64());
            reasoning.budget =
                Some(Tokens::new(tokens.ok_or_else(|| thinking.bad("given a whole number `budget_tokens`"))?));
        }
        "adaptive" => {}
        _ => return Err(thinking.bad("of the type enabled, adaptive or disabled")),
    }
    reasoning.told = match thinking.text_of("display")? {
        "summarized" => Some(true),
        "omitted" => Some(false),
        _ => None,
    };
    Ok(reasoning)
}
