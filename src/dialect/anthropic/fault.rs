//! Errors: what a provider's says, whatever its form, and what a client is told.

use crate::chat::Fault;
use crate::dialect::openai;
use serde_json::{Map, Value, json};

/// What each HTTP status is called. Source: the API's page on errors.
const KINDS: [(u16, &str); 12] = [
    (400, "invalid_request_error"),
    (401, "authentication_error"),
    (402, "billing_error"),
    (403, "permission_error"),
    (404, "not_found_error"),
    (409, "conflict_error"),
    (413, "request_too_large"),
    (429, "rate_limit_error"),
    (500, "api_error"),
    (503, "overloaded_error"),
    (504, "timeout_error"),
    (529, "overloaded_error"),
];
/// What others call what went wrong within a stream, and what it is called here.
const WORDS: [(&str, &str); 9] = [
    ("unavailable", "overloaded_error"),
    ("service_unavailable_error", "overloaded_error"),
    ("service_unavailable", "overloaded_error"),
    ("resource_exhausted", "rate_limit_error"),
    ("rate_limit_exceeded", "rate_limit_error"),
    ("throttlingexception", "rate_limit_error"),
    ("invalid_argument", "invalid_request_error"),
    ("permission_denied", "permission_error"),
    ("deadline_exceeded", "timeout_error"),
];

/// Reads a provider's error body: `{"type": "error", "error": {…}}`, or another that looks like one.
pub fn read(body: &Value) -> Fault {
    let fault = openai::fault::read(body);
    let code = body.pointer("/error/details/error_code").and_then(Value::as_str);
    Fault { code: code.map(str::to_owned).or(fault.code), ..fault }
}

/// An error body for the HTTP `status`. The members of `extra` stand beside its own; they cannot replace one.
///
/// Its `type` is that of the status: that is how this API's clients know it. A code stands where the API has its own.
pub fn write(status: u16, fault: &Fault, extra: Map<String, Value>, id: &str) -> Value {
    let known = KINDS.iter().find(|(known, _)| *known == status).map(|(_, kind)| *kind);
    let kind = known.unwrap_or(if status < 500 { "invalid_request_error" } else { "api_error" });
    let mut body = body(kind, fault, extra);
    body.insert("request_id".to_owned(), id.into());
    body.into()
}

/// The error that ends a stream which has begun.
pub(super) fn event(fault: &Fault) -> Value {
    let word = fault.kind.as_deref().unwrap_or_default().to_ascii_lowercase();
    let own = KINDS.iter().map(|(_, kind)| *kind).find(|kind| *kind == word);
    let others = WORDS.iter().find(|(other, _)| *other == word).map(|(_, kind)| *kind);
    body(own.or(others).unwrap_or("api_error"), fault, Map::new()).into()
}

fn body(kind: &str, fault: &Fault, extra: Map<String, Value>) -> Map<String, Value> {
    let mut error =
        Map::from_iter([("type".to_owned(), kind.into()), ("message".to_owned(), fault.message.as_str().into())]);
    error.extend(fault.code.as_deref().map(|code| ("details".to_owned(), json!({"error_code": code}))));
    for (name, value) in extra {
        error.entry(name).or_insert(value);
    }
    Map::from_iter([("type".to_owned(), "error".into()), ("error".to_owned(), error.into())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(message: &str, kind: Option<&str>, code: Option<&str>) -> Fault {
        let some = |text: Option<&str>| text.map(str::to_owned);
        Fault { message: message.to_owned(), kind: some(kind), code: some(code), param: None }
    }

    #[test]
    fn an_error_is_read_whatever_its_form() {
        for (body, read_as) in [
            (
                json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
                fault("Overloaded", Some("overloaded_error"), None),
            ),
            (
                json!({"type": "error", "request_id": "req_1", "error": {"type": "rate_limit_error",
                    "message": "Slow down.", "details": {"error_code": "enforced_spend_limit_reached"}}}),
                fault("Slow down.", Some("rate_limit_error"), Some("enforced_spend_limit_reached")),
            ),
            (json!({"error": "model not found"}), fault("model not found", None, None)),
            (json!({"message": "No."}), fault("No.", None, None)),
            (json!("bad gateway"), fault("bad gateway", None, None)),
        ] {
            assert_eq!(read(&body), read_as, "{body}");
        }
    }

    #[test]
    fn an_error_has_the_type_of_its_status_whatever_is_beside_it() {
        let extra = Map::from_iter([("message".to_owned(), 7.into()), ("available".to_owned(), 3.into())]);
        assert_eq!(
            write(402, &fault("Too dear.", Some("insufficient_quota"), Some("budget")), extra, "req_1"),
            json!({"type": "error", "error": {"type": "billing_error", "message": "Too dear.",
                "details": {"error_code": "budget"}, "available": 3}, "request_id": "req_1"})
        );
        for (status, kind) in KINDS.into_iter().chain([(422, "invalid_request_error"), (502, "api_error")]) {
            let body = write(status, &fault("m", None, None), Map::new(), "r");
            assert_eq!(body["error"], json!({"type": kind, "message": "m"}), "{status}");
            assert_eq!(read(&body), fault("m", Some(kind), None));
        }
    }

    #[test]
    fn an_error_in_a_stream_is_called_as_here() {
        for (kind, called) in [
            (Some("overloaded_error"), "overloaded_error"),
            (Some("UNAVAILABLE"), "overloaded_error"),
            (Some("server_error"), "api_error"),
            (None, "api_error"),
        ] {
            let body = event(&fault("m", kind, None));
            assert_eq!(body, json!({"type": "error", "error": {"type": called, "message": "m"}}));
        }
    }
}
