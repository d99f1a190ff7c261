//! Errors: what a provider's says, whatever its form, and what a client is told.

use crate::chat::Fault;
use serde_json::{Map, Value, json};

/// The most letters of a body that stand for a message where it has none.
const SHOWN_MAX: usize = 500;
const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";
const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";
const REQUEST_INFO: &str = "type.googleapis.com/google.rpc.RequestInfo";
/// Google's words for statuses, of those with the same number the usual first.
const STATUSES: [(u16, &str); 15] = [
    (400, "INVALID_ARGUMENT"),
    (400, "FAILED_PRECONDITION"),
    (400, "OUT_OF_RANGE"),
    (401, "UNAUTHENTICATED"),
    (403, "PERMISSION_DENIED"),
    (404, "NOT_FOUND"),
    (409, "ABORTED"),
    (409, "ALREADY_EXISTS"),
    (429, "RESOURCE_EXHAUSTED"),
    (499, "CANCELLED"),
    (500, "INTERNAL"),
    (500, "UNKNOWN"),
    (501, "UNIMPLEMENTED"),
    (503, "UNAVAILABLE"),
    (504, "DEADLINE_EXCEEDED"),
];

/// Reads a provider's error body: Google's, alone or in a list as a stream without `alt=sse` has it, or another that looks
/// like one. A body without a message is the message.
///
/// `code` is Google's `reason` and `param` the field of the first violation; `error.code` is the HTTP status again.
pub fn read(body: &Value) -> Fault {
    let body = body.as_array().and_then(|all| all.first()).unwrap_or(body);
    let error = body.get("error").filter(|error| !is_empty(error)).unwrap_or(body);
    let text = |names: &[&str]| {
        let texts = names.iter().filter_map(|name| error.get(name)?.as_str());
        texts.map(str::to_owned).find(|text| !text.is_empty())
    };
    let bare = || error.as_str().map_or_else(|| error.to_string(), str::to_owned).chars().take(SHOWN_MAX).collect();
    let details = error.get("details").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let detail = |name: &str| details.iter().find_map(|detail| detail.get(name));
    let reason = detail("reason").and_then(Value::as_str).map(str::to_owned);
    let field = detail("fieldViolations").and_then(|all| all.get(0)?.get("field")?.as_str());
    Fault {
        message: text(&["message"]).unwrap_or_else(bare),
        kind: text(&["status", "type"]),
        code: reason.or_else(|| text(&["code"])),
        param: field.map(str::to_owned).or_else(|| text(&["param"])),
    }
}

/// An error body for the HTTP `status`. Its word is the provider's, if that is one of Google's, else the one for the status.
///
/// `code` and the members of `extra` are told in an `ErrorInfo`, whose metadata are texts; `param` is the field of a violation.
pub fn write(status: u16, fault: &Fault, extra: Map<String, Value>, id: &str) -> Value {
    let word = known(fault.kind.as_deref()).unwrap_or_else(|| word_for(status));
    let mut details = Vec::new();
    if fault.code.is_some() || !extra.is_empty() {
        let text = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let metadata: Map<_, _> = extra.into_iter().map(|(name, value)| (name, text(value).into())).collect();
        let reason = fault.code.as_deref().unwrap_or(word);
        details.push(json!({"@type": ERROR_INFO, "reason": reason, "domain": "tollgate", "metadata": metadata}));
    }
    if let Some(field) = &fault.param {
        let violation = json!({"field": field, "description": fault.message});
        details.push(json!({"@type": BAD_REQUEST, "fieldViolations": [violation]}));
    }
    if !id.is_empty() {
        details.push(json!({"@type": REQUEST_INFO, "requestId": id}));
    }
    json!({"error": {"code": status, "message": fault.message, "status": word, "details": details}})
}

/// The HTTP status that a fault in a stream would have had.
pub(super) fn status_of(fault: &Fault) -> u16 {
    let kind = fault.kind.as_deref();
    let own = STATUSES.iter().find(|(_, word)| kind == Some(word)).map(|(status, _)| *status);
    own.unwrap_or(match kind {
        Some("overloaded_error" | "service_unavailable_error") => 503,
        Some("rate_limit_error") => 429,
        Some("invalid_request_error") => 400,
        _ => 500,
    })
}

/// Whether a member `error` says nothing.
pub(super) fn is_empty(error: &Value) -> bool {
    match error {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

fn known(kind: Option<&str>) -> Option<&'static str> {
    STATUSES.iter().find(|(_, word)| kind == Some(word)).map(|(_, word)| *word)
}

fn word_for(status: u16) -> &'static str {
    let usual = STATUSES.iter().find(|(known, _)| *known == status).map(|(_, word)| *word);
    usual.unwrap_or(match status {
        402 => "FAILED_PRECONDITION",
        408 => "DEADLINE_EXCEEDED",
        400..=499 => "INVALID_ARGUMENT",
        502 | 529 => "UNAVAILABLE",
        _ => "INTERNAL",
    })
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
        let google = json!({"error": {"code": 400, "message": "No.", "status": "INVALID_ARGUMENT", "details": [
            {"@type": ERROR_INFO, "reason": "API_KEY_INVALID", "domain": "googleapis.com"},
            {"@type": BAD_REQUEST, "fieldViolations": [{"field": "contents", "description": "d"}]},
        ]}});
        let read_as = fault("No.", ["INVALID_ARGUMENT", "API_KEY_INVALID", "contents"]);
        for (body, read_as) in [
            (google.clone(), read_as.clone()),
            (json!([google]), read_as),
            (json!({"error": {"code": 503, "message": "Busy."}}), fault("Busy.", [""; 3])),
            (json!({"error": {"type": "t", "message": "m", "code": "c"}}), fault("m", ["t", "c", ""])),
            (json!({"error": "plain"}), fault("plain", [""; 3])),
            (json!({"odd": 1}), fault("{\"odd\":1}", [""; 3])),
            (json!([]), fault("[]", [""; 3])),
        ] {
            assert_eq!(read(&body), read_as, "{body}");
        }
    }

    #[test]
    fn an_error_that_is_written_reads_the_same() {
        let said = fault("m", ["UNAVAILABLE", "spent", "model"]);
        let extra = Map::from_iter([("available".to_owned(), json!(3)), ("limit".to_owned(), json!("l"))]);
        let body = write(503, &said, extra, "req_1");
        assert_eq!(read(&body), said);
        assert_eq!(body["error"]["details"][0]["metadata"], json!({"available": "3", "limit": "l"}));
        assert_eq!(body["error"]["code"], 503);
        for (status, kind, word) in [
            (429, "rate_limit_error", "RESOURCE_EXHAUSTED"),
            (529, "overloaded_error", "UNAVAILABLE"),
            (402, "", "FAILED_PRECONDITION"),
            (413, "", "INVALID_ARGUMENT"),
            (418, "NOT_FOUND", "NOT_FOUND"),
            (500, "server_error", "INTERNAL"),
        ] {
            let body = write(status, &fault("m", [kind, "", ""]), Map::new(), "");
            assert_eq!(
                (&body["error"]["status"], &body["error"]["details"]),
                (&json!(word), &json!([])),
                "{status} {kind}"
            );
        }
    }
}
