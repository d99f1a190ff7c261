//! The older form of what a model says, put into the words of the newer: OpenAI's.

use serde_json::{Map, Value, json};

/// An answer, or a chunk of one, with its choices: those that it has, or the one that an older model's `response` and
/// `tool_calls` are, its message in the member `part` of it.
pub(super) fn choices(said: Value, part: &str) -> Value {
    let Value::Object(mut said) = said else { return said };
    if let Some(Value::Array(choices)) = said.get_mut("choices") {
        let messages = choices.iter_mut().filter_map(|choice| choice.get_mut(part)?.get_mut("tool_calls"));
        messages.for_each(name_functions);
        return said.into();
    }
    let text = said.shift_remove("response").and_then(text);
    let mut calls = said.shift_remove("tool_calls").filter(Value::is_array);
    calls.iter_mut().for_each(name_functions);
    let finish = said.shift_remove("finish_reason").filter(Value::is_string);
    if text.is_some() || calls.is_some() || finish.is_some() {
        let mut message = Map::new();
        message.extend(text.map(|text| ("content".to_owned(), text.into())));
        message.extend(calls.map(|calls| ("tool_calls".to_owned(), calls)));
        let choice = json!({"index": 0, part: message, "finish_reason": finish});
        said.insert("choices".to_owned(), json!([choice]));
    }
    said.into()
}

/// What a `response` says. An answer that was to be JSON is the value itself, and so is a token that is a number.
fn text(response: Value) -> Option<String> {
    match response {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

/// Puts the name and the arguments of each call where OpenAI has them. One that says nothing only ends the one before.
fn name_functions(calls: &mut Value) {
    let Some(calls) = calls.as_array_mut() else { return };
    calls.retain(says_something);
    for call in calls.iter_mut().filter_map(Value::as_object_mut) {
        if !call.get("function").is_some_and(Value::is_object) {
            let inner: Map<String, Value> =
                ["name", "arguments"].into_iter().filter_map(|name| call.shift_remove_entry(name)).collect();
            call.insert("function".to_owned(), inner.into());
        }
    }
}

fn says_something(call: &Value) -> bool {
    let says = |value: Option<&Value>| value.is_some_and(|value| !value.is_null() && value.as_str() != Some(""));
    let inner = call.get("function").unwrap_or(call);
    says(call.get("id")) || says(inner.get("name")) || says(inner.get("arguments"))
}
