//! What a model is given: OpenAI's request, but for what differs.

use crate::chat::{Effort, Part, Reasoning, Request, Used};
use crate::dialect::{BadRequest, CapField, openai};
use serde_json::{Map, Value, json};

/// What OpenAI says around a schema, and what the schema calls that itself.
const ABOUT: [(&str, &str); 2] = [("name", "title"), ("description", "description")];
/// The name of a schema that was given none.
const UNNAMED: &str = "answer";

/// Writes a request, its cap in the field `cap`. The model is not in it: it is named beside.
///
/// - Texts of one message are one text, for older models take no parts; no content is no text, never `null`.
/// - Of a thought its text is told, and no signature. A call with free text is one like any other.
/// - Of efforts there are three, and `null` for none.
/// - A JSON schema stands bare, its name and description in it.
/// - Every tool has a description and a schema.
pub fn write(request: &Request, cap: CapField) -> Value {
    let mut plain = Request { reasoning: request.reasoning.as_ref().map(effort), ..request.clone() };
    plain.messages.retain_mut(|message| {
        let had_none = message.parts.is_empty();
        message.parts.retain_mut(plainly);
        had_none || !message.parts.is_empty()
    });
    let mut body = openai::request::write(&plain, cap);
    let Some(members) = body.as_object_mut() else { return body };
    members.shift_remove("model");
    each(members, "messages", write_message);
    each(members, "tools", write_tool);
    if let Some(Value::Object(format)) = members.get_mut("response_format") {
        write_format(format);
    }
    if let Some(effort) = members.get_mut("reasoning_effort").filter(|effort| *effort == "none") {
        *effort = Value::Null;
    }
    members.extend(request.sampling.top_k.map(|count| ("top_k".to_owned(), count.into())));
    body
}

/// Reads a request, as [`write()`] writes it. Its model is not in it.
///
/// # Errors
/// [`BadRequest`] for the first field that is of a wrong type.
pub fn read(body: &Value) -> Result<(Request, Used), BadRequest> {
    let mut body = body.clone();
    if let Some(members) = body.as_object_mut() {
        members.insert("model".to_owned(), "".into());
        each(members, "tools", read_tool);
        if let Some(Value::Object(format)) = members.get_mut("response_format") {
            read_format(format);
        }
        if let Some(effort) = members.get_mut("reasoning_effort").filter(|effort| effort.is_null()) {
            *effort = "none".into();
        }
    }
    openai::request::read(&body)
}

/// Says `part` in words that older models know, too; whether there are any.
fn plainly(part: &mut Part) -> bool {
    match part {
        Part::Refusal(text) => *part = Part::text(std::mem::take(text)),
        Part::ToolCall(call) if call.free => {
            (call.free, call.arguments) = (false, json!({"input": call.arguments}).to_string());
        }
        Part::Thought(thought) => {
            thought.signature = None;
            return !thought.text.is_empty();
        }
        _ => {}
    }
    true
}

/// What is known of efforts: none, little, some and much.
fn effort(reasoning: &Reasoning) -> Reasoning {
    let effort = reasoning.effort.or(reasoning.budget.map(Effort::of_budget)).map(|effort| match effort {
        Effort::Minimal => Effort::Low,
        Effort::Highest => Effort::High,
        other => other,
    });
    Reasoning { effort, ..Reasoning::default() }
}

/// Changes each object in the list `name`.
fn each(members: &mut Map<String, Value>, name: &str, change: fn(&mut Map<String, Value>)) {
    let all = members.get_mut(name).and_then(Value::as_array_mut);
    all.into_iter().flatten().filter_map(Value::as_object_mut).for_each(change);
}

fn write_message(message: &mut Map<String, Value>) {
    let apart = if message.get("role").is_some_and(|role| role == "assistant") { "" } else { "\n" };
    if let Some(content) = message.get_mut("content") {
        *content = match content.take() {
            Value::Null => "".into(),
            Value::Array(parts) => match parts.iter().map(said).collect::<Option<Vec<_>>>() {
                Some(texts) => texts.join(apart).into(),
                None => parts.into(),
            },
            other => other,
        };
    }
    message.shift_remove("reasoning_details");
    if let Some(thought) = message.shift_remove("reasoning_content") {
        message.insert("reasoning".to_owned(), thought);
    }
}

/// The text that a part is; `None`: it is something else.
fn said(part: &Value) -> Option<&str> {
    part.get("text").and_then(Value::as_str)
}

fn no_parameters() -> Value {
    json!({"type": "object", "properties": {}})
}

fn write_tool(tool: &mut Map<String, Value>) {
    let Some(Value::Object(function)) = tool.get_mut("function") else { return };
    function.entry("description").or_insert_with(|| "".into());
    function.entry("parameters").or_insert_with(no_parameters);
}

fn read_tool(tool: &mut Map<String, Value>) {
    let Some(Value::Object(function)) = tool.get_mut("function") else { return };
    function.retain(|name, value| match name.as_str() {
        "description" => *value != "",
        "parameters" => *value != no_parameters(),
        _ => true,
    });
}

/// Puts the schema bare: its name and description stand in it, unless it has its own.
fn write_format(format: &mut Map<String, Value>) {
    let Some(Value::Object(around)) = format.get_mut("json_schema") else { return };
    let mut schema = around.shift_remove("schema").unwrap_or_default();
    if let Some(members) = schema.as_object_mut() {
        for (name, own) in ABOUT {
            if let Some(text) = around.shift_remove(name).filter(|text| text != UNNAMED) {
                members.entry(own).or_insert(text);
            }
        }
    }
    format.insert("json_schema".to_owned(), schema);
}

fn read_format(format: &mut Map<String, Value>) {
    let Some(Value::Object(schema)) = format.get_mut("json_schema") else { return };
    let mut schema = std::mem::take(schema);
    let mut around = Map::new();
    for (name, own) in ABOUT {
        around.extend(schema.shift_remove(own).map(|text| (name.to_owned(), text)));
    }
    around.insert("schema".to_owned(), schema.into());
    format.insert("json_schema".to_owned(), around.into());
}
