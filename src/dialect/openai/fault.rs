//! Errors: what a provider's says, whatever its form, and what a client is told.

use crate::chat::Fault;
use serde_json::{Map, Value, json};

/// The most letters of a body that stand for a message where it has none.
const SHOWN_MAX: usize = 500;

/// Reads a provider's error body: OpenAI's, or another that looks like one. A body without a message is the message.
///
/// Known are `{"error": {…}}`, `{"error": "…"}`, a list of these (Google), `{"errors": […]}`, `{"message": …}`
/// (Mistral) and `{"detail": …}` (FastAPI).
pub fn read(body: &Value) -> Fault {
    let says = |name: &str| body.get(name).filter(|it| !is_empty(it));
    // Beside a message of its own, only an error that is an object tells more.
    let inner = match says("error") {
        Some(error) if error.is_object() || says("message").is_none() => Some(error),
        _ if says("message").is_some() => None,
        _ => says("errors").or_else(|| says("detail")),
    };
    match (body, inner) {
        (Value::Array(all), _) if !all.is_empty() => all.first().map(read).unwrap_or_default(),
        (_, Some(Value::Array(all))) => all.first().map(read).unwrap_or_default(),
        (_, Some(inner)) => read(inner),
        (Value::String(message), None) => Fault { message: message.clone(), ..Fault::default() },
        _ => {
            let text = |names: &[&str]| names.iter().find_map(|name| word(body.get(name)?));
            let message = text(&["message", "msg"]).unwrap_or_else(|| body.to_string());
            let message = message.chars().take(if body.get("message").is_some() { usize::MAX } else { SHOWN_MAX });
            // Google's code is the HTTP status again, and its status the word.
            let kind = text(&["type", "status"]);
            Fault { message: message.collect(), kind, code: text(&["code"]), param: text(&["param"]) }
        }
    }
}

/// An error body for the HTTP `status`, with all four members of OpenAI's, `code` and `param` as null if need be.
/// The members of `extra` stand beside them; they cannot replace one of the four. OpenAI tells the request's id in a
/// header alone.
///
/// Its `type` is the provider's word for it, where that is in OpenAI's style; else the one for the status.
pub fn write(status: u16, fault: &Fault, extra: Map<String, Value>, _id: &str) -> Value {
    let kind = fault.kind.as_deref().filter(is_word).unwrap_or(match status {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        503 | 529 => "service_unavailable_error",
        _ => "server_error",
    });
    let mut error = json!({"message": fault.message, "type": kind, "param": fault.param, "code": fault.code});
    if let Some(members) = error.as_object_mut() {
        for (name, value) in extra {
            members.entry(name).or_insert(value);
        }
    }
    json!({"error": error})
}

/// Whether `kind` is a word in OpenAI's style, and not another vendor's.
pub(in crate::dialect) fn is_word(kind: &&str) -> bool {
    !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// An error body as the last frame of a stream that has begun.
pub fn event(body: &str) -> String {
    format!("event: error\ndata: {body}\n\n")
}

/// Whether a member `error` says nothing.
pub(in crate::dialect) fn is_empty(error: &Value) -> bool {
    match error {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Array(all) => all.is_empty(),
        _ => false,
    }
}

/// A text, or a number as one.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(message: &str, [kind, code, param]: [&str; 3]) -> Fault {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Fault { message: message.to_owned(), kind: some(kind), code: some(code), param: some(param) }
    }

    #[test]
    fn an_error_is_read_whatever_its_form() {
        for (body, read_as) in [
            (
                json!({"error": {"message": "No.", "type": "invalid_request_error", "param": "n", "code": null}}),
                fault("No.", ["invalid_request_error", "", "n"]),
            ),
            (json!({"error": {"message": "No.", "code": 402}}), fault("No.", ["", "402", ""])),
            (json!({"error": "model not found"}), fault("model not found", [""; 3])),
            (
                json!([{"error": {"code": 503, "message": "Busy.", "status": "UNAVAILABLE"}}]),
                fault("Busy.", ["UNAVAILABLE", "503", ""]),
            ),
            (
                json!({"object": "error", "message": "No.", "type": "invalid", "code": "1"}),
                fault("No.", ["invalid", "1", ""]),
            ),
            (json!({"detail": [{"loc": ["body"], "msg": "field required"}]}), fault("field required", [""; 3])),
            (json!({"errors": [{"message": "Off.", "code": 7003}]}), fault("Off.", ["", "7003", ""])),
            (
                json!({"error": {"message": "No.", "type": "x", "detail": "more"}, "detail": "most"}),
                fault("No.", ["x", "", ""]),
            ),
            (json!({"statusCode": 400, "message": "Why.", "error": "Bad Request"}), fault("Why.", [""; 3])),
            (json!("plain"), fault("plain", [""; 3])),
            (json!({"odd": 1}), fault("{\"odd\":1}", [""; 3])),
            (json!([]), fault("[]", [""; 3])),
            (json!(null), fault("null", [""; 3])),
        ] {
            assert_eq!(read(&body), read_as, "{body}");
        }
        assert_eq!(read(&json!({"odd": "x".repeat(9_000)})).message.len(), SHOWN_MAX);
    }

    #[test]
    fn an_error_that_is_written_reads_the_same() {
        let said = fault("a \"b\"\n", ["requests", "c", "p"]);
        let extra = Map::from_iter([("code".to_owned(), 7.into()), ("available".to_owned(), 3.into())]);
        let body = write(429, &said, extra, "1");
        let error = r#"{"message":"a \"b\"\n","type":"requests","param":"p","code":"c","available":3}"#;
        assert_eq!(body.to_string(), format!("{{\"error\":{error}}}"));
        assert_eq!(read(&body), said);
    }

    #[test]
    fn a_type_of_another_style_becomes_that_of_the_status() {
        for (status, kind, written) in [
            (503, "UNAVAILABLE", "service_unavailable_error"),
            (529, "overloaded_error", "overloaded_error"),
            (400, "", "invalid_request_error"),
            (401, "UNAUTHENTICATED", "authentication_error"),
            (403, "", "permission_error"),
            (429, "", "rate_limit_error"),
            (500, "", "server_error"),
        ] {
            let body = write(status, &fault("m", [kind, "", ""]), Map::new(), "1");
            assert_eq!(body["error"]["type"], written, "{status} {kind}");
        }
    }
}
