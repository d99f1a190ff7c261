//! Names in either spelling: protobuf's JSON takes `system_instruction` for `systemInstruction`.

use crate::dialect::BadRequest;
use crate::dialect::members::Path;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The members whose value is the client's own, and passed on as it is written.
const OWN: [&str; 11] = [
    "args",
    "response",
    "parameters",
    "parametersJsonSchema",
    "parameters_json_schema",
    "responseSchema",
    "response_schema",
    "responseJsonSchema",
    "response_json_schema",
    "labels",
    "partMetadata",
];

/// `body` with all names in camelCase. Only a body that has others is copied.
///
/// # Errors
/// A member is given in both spellings.
pub(super) fn camelled(body: &Value) -> Result<Cow<'_, Value>, BadRequest> {
    if is_camel(body) {
        return Ok(Cow::Borrowed(body));
    }
    to_camel(body, &Path::ROOT).map(Cow::Owned)
}

fn is_camel(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            members.iter().all(|(name, value)| !name.contains('_') && (OWN.contains(&name.as_str()) || is_camel(value)))
        }
        Value::Array(all) => all.iter().all(is_camel),
        _ => true,
    }
}

fn to_camel(value: &Value, at: &Path<'_>) -> Result<Value, BadRequest> {
    match value {
        Value::Object(members) => {
            let mut camelled = Map::with_capacity(members.len());
            for (name, value) in members {
                let at = at.key(name);
                let value = if OWN.contains(&name.as_str()) { value.clone() } else { to_camel(value, &at)? };
                if camelled.insert(camel(name), value).is_some() {
                    return Err(at.bad("is given twice, in two spellings; give it once"));
                }
            }
            Ok(camelled.into())
        }
        Value::Array(all) => {
            let each = all.iter().enumerate().map(|(index, value)| to_camel(value, &at.index(index)));
            each.collect::<Result<Vec<_>, _>>().map(Value::Array)
        }
        other => Ok(other.clone()),
    }
}

/// `max_output_tokens` as `maxOutputTokens`.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut camelled = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camelled.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        camelled.push_str(letters.as_str());
    }
    camelled
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_one_whatever_their_spelling_and_what_is_the_clients_own_stays() {
        let snake = json!({
            "system_instruction": {"parts": {"text": "a_b"}},
            "contents": [{"parts": [{"function_call": {"name": "f_g", "args": {"x_y": 1}}}]}],
            "generation_config": {"max_output_tokens": 5, "response_schema": {"any_of": []}},
        });
        let camel = json!({
            "systemInstruction": {"parts": {"text": "a_b"}},
            "contents": [{"parts": [{"functionCall": {"name": "f_g", "args": {"x_y": 1}}}]}],
            "generationConfig": {"maxOutputTokens": 5, "responseSchema": {"any_of": []}},
        });
        assert_eq!(camelled(&snake).unwrap().as_ref(), &camel);
        assert!(matches!(camelled(&camel), Ok(Cow::Borrowed(_))));
        let both = json!({"contents": [{"parts": [{"file_data": 1, "fileData": 2}]}]});
        let wrong = camelled(&both).unwrap_err();
        assert_eq!(wrong.param.as_deref(), Some("contents[0].parts[0].fileData"));
    }
}
