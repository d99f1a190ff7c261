//! What answers say of how they were served, in the words of every dialect.
//!
//! | where | says |
//! |---|---|
//! | `service_tier` of an answer, a chunk, a response or a usage; Bedrock's `serviceTier` | the tier that served it; `auto` says nothing |
//! | Google's `trafficType` | the same: `ON_DEMAND_PRIORITY` |
//! | Anthropic's `speed`, `inference_geo`; Bedrock's `performanceConfig` | speed, region, latency |
//! | `quality` of pictures, Perplexity's `search_context_size`, OpenRouter's `provider` | what a price may have a variant for |
//! | `server_tool_use`, `num_search_queries` and the like in a usage | how often tools were used |
//! | Responses' items, Anthropic's blocks, Google's `groundingMetadata` | the same, where no usage counts it |
//! | a `url_citation` in a chat completion | that there was a search, where that has a fee |
//! | `cost` in a usage (OpenRouter, Perplexity), `cost_in_usd_ticks` (xAI) | what the provider asks for it |
//!
//! A tool that is not known here counts: it may cost.

use super::openai::usage::members;
use crate::service::{Service, Uses, Word};
use crate::units::NanoUsd;
use serde_json::{Map, Value};

/// The members of a usage that count the uses of tools, within an object that counts nothing else or by themselves.
const COUNTS: [(&str, Tool); 18] = [
    ("web_search_requests", Tool::Search),
    ("web_search_calls", Tool::Search),
    ("x_search_calls", Tool::Search),
    ("num_search_queries", Tool::Search),
    ("num_sources_used", Tool::Search),
    ("file_search_calls", Tool::FileSearch),
    ("document_search_calls", Tool::FileSearch),
    ("collections_search_calls", Tool::FileSearch),
    ("code_interpreter_calls", Tool::Container),
    ("code_execution_calls", Tool::Container),
    ("code_execution_requests", Tool::Container),
    ("bash_code_execution_requests", Tool::Container),
    ("image_generation_calls", Tool::Image),
    ("web_fetch_requests", Tool::Free),
    ("tool_search_requests", Tool::Free),
    ("tool_search_tool_requests", Tool::Free),
    ("mcp_calls", Tool::Free),
    ("view_image_calls", Tool::Free),
];
/// The objects of a usage in which every member counts a tool's uses.
const TOOLS: [&str; 2] = ["server_tool_use", "server_side_tool_usage_details"];
/// The members of a usage that say something of the service.
pub(crate) const USAGE: [&str; 13] = [
    "service_tier",
    "speed",
    "inference_geo",
    "trafficType",
    "search_context_size",
    "cost",
    "cost_in_usd_ticks",
    "num_search_queries",
    "num_sources_used",
    "server_tool_use",
    "server_side_tool_usage_details",
    "tool_calls_details",
    "serviceTier",
];

/// What a tool of the provider's costs by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tool {
    Search,
    FileSearch,
    Container,
    Image,
    /// Nothing but the tokens that it reads.
    Free,
    Unknown,
}

impl Tool {
    fn uses(self, count: u64) -> Uses {
        let nothing = Uses::default();
        match self {
            Self::Search => Uses { searches: count, ..nothing },
            Self::FileSearch => Uses { file_searches: count, ..nothing },
            Self::Container => Uses { containers: count, ..nothing },
            Self::Image => Uses { images: count, ..nothing },
            Self::Free => nothing,
            Self::Unknown => Uses { others: count, ..nothing },
        }
    }

    /// The tool of Responses' item of this type; `None`: no tool of the provider's was used.
    fn of_item(item: &Value) -> Option<Self> {
        let kind = item.get("type").and_then(Value::as_str)?;
        Some(match kind {
            "web_search_call" => {
                let action = item.get("action").and_then(|action| action.get("type")).and_then(Value::as_str);
                // A page that was found is opened and read for its tokens alone.
                if matches!(action, Some("open_page" | "find_in_page")) { Self::Free } else { Self::Search }
            }
            "file_search_call" => Self::FileSearch,
            "code_interpreter_call" => Self::Container,
            "image_generation_call" => Self::Image,
            // Run by the client, or by somebody else's server.
            "function_call" | "custom_tool_call" | "computer_call" | "local_shell_call" | "shell_call" => return None,
            "apply_patch_call" | "mcp_call" | "tool_search_call" => return None,
            _ if kind.ends_with("_call") => Self::Unknown,
            _ => return None,
        })
    }

    /// The tool of this name, which Anthropic's provider runs.
    fn named(name: &str) -> Self {
        match name {
            "web_search" => Self::Search,
            "code_execution" | "bash_code_execution" | "text_editor_code_execution" => Self::Container,
            "web_fetch" => Self::Free,
            _ if name.starts_with("tool_search") => Self::Free,
            _ => Self::Unknown,
        }
    }
}

/// What a usage says, in any dialect.
pub(crate) fn of_usage(usage: &Map<String, Value>) -> Service {
    let word = |name: &str| usage.get(name).and_then(Value::as_str).map(Word::of).unwrap_or_default();
    let mut uses = Uses::default();
    let mut count = |name: &str, value: &Value, known_alone: bool| {
        let tool = COUNTS.iter().find(|(known, _)| *known == name).map(|(_, tool)| *tool);
        let tool = tool.or((!known_alone).then_some(Tool::Unknown));
        if let (Some(tool), Some(times)) = (tool, value.as_u64()) {
            uses = uses.plus(tool.uses(times));
        }
    };
    usage.iter().for_each(|(name, value)| count(name, value, true));
    for (name, value) in TOOLS.iter().filter_map(|name| usage.get(*name)?.as_object()).flatten() {
        count(name, value, false);
    }
    let invoked = usage.get("tool_calls_details").and_then(|tools| tools.get("search_web")?.get("invocation"));
    invoked.into_iter().for_each(|times| count("web_search_calls", times, true));
    Service {
        tier: tier(usage.get("service_tier").or(usage.get("serviceTier"))).or(traffic(usage.get("trafficType"))),
        speed: word("speed"),
        region: word("inference_geo"),
        quality: word("search_context_size"),
        uses,
        cost: cost(usage),
        ..Service::default()
    }
}

/// What a chat completion, whole or one chunk of it, says.
pub(crate) fn of_chat(body: &Value) -> Service {
    Service { cited: is_cited(body), ..of_body(body) }
}

/// Whether some of a chat completion is from the web.
fn is_cited(body: &Value) -> bool {
    let choices = body.get("choices").and_then(Value::as_array).into_iter().flatten();
    let messages = choices.flat_map(|choice| [choice.get("message"), choice.get("delta")]).flatten();
    let annotations = messages.filter_map(|message| message.get("annotations")?.as_array()).flatten();
    annotations.into_iter().any(|annotation| annotation.get("type").is_some_and(|kind| kind == "url_citation"))
}

/// [`of_chat`] of a whole answer that is not read as a value, and the model that gave it.
pub(crate) fn of_chat_text(body: &[u8]) -> (Service, Option<String>) {
    let [own, model, provider, usage] = members(body, ["service_tier", "model", "provider", "usage"]);
    let mut service = of_usage_text(usage).unwrap_or_default();
    service.tier = tier_text(own).or(service.tier);
    service.route = serde_json::from_slice(provider).map(|provider: String| Word::of(&provider)).unwrap_or_default();
    service.cited = is_cited_text(body);
    (service, serde_json::from_slice(model).ok())
}

/// [`of_usage`] of a usage that is not read as a value; `None`: it says nothing.
pub(crate) fn of_usage_text(usage: &[u8]) -> Option<Service> {
    members(usage, USAGE).iter().any(|value| !matches!(*value, b"" | b"null")).then_some(())?;
    serde_json::from_slice(usage).ok().map(|usage| of_usage(&usage))
}

/// The tier that a JSON value says.
pub(crate) fn tier_text(value: &[u8]) -> Word {
    match value {
        b"" | b"null" => Word::default(),
        value => tier(serde_json::from_slice(value).ok().as_ref()),
    }
}

/// Whether some of an answer is from the web: in a text that it holds the quotes would be escaped.
pub(crate) fn is_cited_text(answer: &[u8]) -> bool {
    memchr::memmem::find(answer, b"\"url_citation\"").is_some()
}

/// What an answer says of itself at its top, in any dialect, and in its `usage`.
pub(crate) fn of_body(body: &Value) -> Service {
    let word = |value: Option<&Value>| value.and_then(Value::as_str).map(Word::of).unwrap_or_default();
    let own = tier(body.get("service_tier").or(body.get("serviceTier")));
    let mut service = Service {
        tier: own,
        latency: word(body.get("performanceConfig").and_then(|config| config.get("latency"))),
        route: word(body.get("provider")),
        ..Service::default()
    };
    for usage in ["usage", "usageMetadata"].iter().filter_map(|name| body.get(*name)?.as_object()) {
        service = of_usage(usage).over(service);
    }
    // The tier of the answer is the one of its usage, where it tells both.
    Service { tier: own.or(service.tier), ..service }
}

/// What a response says, with the tools whose items are in its output.
pub(crate) fn of_response(response: &Value) -> Service {
    let service = of_body(response);
    Service { uses: service.uses.max(of_items(list(response, "output"))), ..service }
}

/// The tools' uses that the items of a response are. Code that runs in one container twice is one use.
pub(crate) fn of_items<'a>(items: impl IntoIterator<Item = &'a Value>) -> Uses {
    let mut containers = Vec::new();
    items.into_iter().fold(Uses::default(), |uses, item| match Tool::of_item(item) {
        Some(Tool::Container) => {
            let container = item.get("container_id").and_then(Value::as_str).unwrap_or_default();
            if containers.contains(&container) {
                return uses;
            }
            containers.push(container);
            uses.plus(Tool::Container.uses(1))
        }
        Some(tool) => uses.plus(tool.uses(1)),
        None => uses,
    })
}

/// What a message says, with the tools that its blocks use: the usage counts them itself, blocks count where it does not.
pub(crate) fn of_message(message: &Value) -> Service {
    let service = of_body(message);
    Service { uses: service.uses.max(of_blocks(message)), ..service }
}

fn of_blocks(message: &Value) -> Uses {
    list(message, "content").iter().map(of_block).fold(Uses::default(), and_block)
}

/// The uses of a message with one block more: all its code runs in one container.
pub(crate) fn and_block(uses: Uses, block: Uses) -> Uses {
    let sum = uses.plus(block);
    Uses { containers: sum.containers.min(1), ..sum }
}

/// The use that a block of a message is.
pub(crate) fn of_block(block: &Value) -> Uses {
    let text = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("type") == "server_tool_use" { Tool::named(text("name")).uses(1) } else { Uses::default() }
}

/// What Gemini's answer says.
pub(crate) fn of_generated(body: &Value) -> Service {
    let service = of_body(body);
    Service { uses: service.uses.max(of_candidates(body)), ..service }
}

/// The searches that Gemini's answer rests on. Before its third generation a grounded answer was one, however many queries it
/// took.
fn of_candidates(body: &Value) -> Uses {
    let model = body.get("modelVersion").and_then(Value::as_str).unwrap_or_default();
    let is_once = ["gemini-1", "gemini-2"].iter().any(|old| model.starts_with(old));
    let of_candidate = |grounding: &Value| {
        let count = |name: &str| u64::try_from(list(grounding, name).len()).unwrap_or(u64::MAX);
        let is_map = list(grounding, "groundingChunks").iter().any(|chunk| chunk.get("maps").is_some());
        let queries = count("webSearchQueries").saturating_add(count("imageSearchQueries"));
        let searches = if is_once { queries.min(1) } else { queries }.saturating_add(u64::from(is_map));
        Uses { searches, file_searches: count("retrievalQueries").min(1), ..Uses::default() }
    };
    let groundings = list(body, "candidates").iter().filter_map(|candidate| candidate.get("groundingMetadata"));
    groundings.map(of_candidate).fold(Uses::default(), Uses::max)
}

/// What an answer says, whatever its dialect: of itself, or of the message or the response that it brings.
pub(crate) fn of_any(answer: &Value) -> Service {
    let mut service = Service::UNTOLD;
    for answer in [answer.get("message"), answer.get("response"), Some(answer)].into_iter().flatten() {
        let own = of_body(answer);
        let item =
            answer.get("item").filter(|_| answer.get("type").is_some_and(|kind| kind == "response.output_item.done"));
        let items = of_items(list(answer, "output").iter().chain(item));
        let uses = own.uses.max(items).max(of_blocks(answer)).max(of_candidates(answer));
        // That of pictures.
        let quality = answer.get("quality").and_then(Value::as_str).map(Word::of).unwrap_or_default();
        service.add(Service { uses, cited: is_cited(answer), quality: own.quality.or(quality), ..own });
    }
    service
}

/// The list that is called `name`; none is empty.
fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A tier by its word, or as Bedrock's `{"type": …}`. `auto` is what was asked for, and does not say what it came to.
pub(crate) fn tier(value: Option<&Value>) -> Word {
    let value = value.map(|value| value.get("type").unwrap_or(value));
    let word = value.and_then(Value::as_str).map(Word::of).unwrap_or_default();
    if word.as_str() == "auto" { Word::default() } else { word }
}

/// A tier by Google's word for it.
fn traffic(value: Option<&Value>) -> Word {
    match value.and_then(Value::as_str).unwrap_or_default() {
        "" | "TRAFFIC_TYPE_UNSPECIFIED" => Word::default(),
        "ON_DEMAND" => Word::of("on_demand"),
        "PROVISIONED_THROUGHPUT" => Word::of("provisioned"),
        other => Word::of(other.strip_prefix("ON_DEMAND_").unwrap_or(other)),
    }
}

/// The cost that a usage tells, in US dollars, or as parts of ten billion of one.
fn cost(usage: &Map<String, Value>) -> Option<NanoUsd> {
    let dollars = usage.get("cost").map(|cost| cost.get("total_cost").unwrap_or(cost));
    let dollars = dollars.and_then(Value::as_number).and_then(|number| nano(&number.to_string()));
    let ticks = usage.get("cost_in_usd_ticks").and_then(Value::as_u64).map(|ticks| NanoUsd::new(ticks.div_ceil(10)));
    dollars.or(ticks)
}

/// The billionths in a JSON number, rounded up; `None` below zero.
fn nano(number: &str) -> Option<NanoUsd> {
    let (decimal, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    let power = exponent.parse::<i32>().ok()?.checked_add(9)?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = 10_u128.checked_pow(power.unsigned_abs());
    let nano = match scale {
        Some(scale) if power < 0 => digits.div_ceil(scale),
        Some(scale) => digits.saturating_mul(scale),
        None if power < 0 || digits == 0 => u128::from(digits > 0),
        None => u128::MAX,
    };
    Some(NanoUsd::new(u64::try_from(nano).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests;
