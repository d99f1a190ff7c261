//! Errors: what a provider's says, and what a client is told. Of a whole answer they are OpenAI's, as in its older dialect.

use crate::chat::Fault;
use crate::dialect::openai;
use serde_json::{Map, Value, json};

/// Reads a provider's error: a body `{"error": {…}}`, a response that failed, an event `error`, or another that looks like
/// one of these.
pub fn read(body: &Value) -> Fault {
    let mut fault = openai::fault::read(body);
    // The type of an event says that it is one, not what went wrong.
    fault.kind = fault.kind.filter(|kind| kind != "error");
    fault
}

/// An error body for the HTTP `status`, with all four members of OpenAI's. The members of `extra` stand beside them; they
/// cannot replace one of the four.
pub fn write(status: u16, fault: &Fault, extra: Map<String, Value>, id: &str) -> Value {
    openai::fault::write(status, fault, extra, id)
}

/// The members of an event `error`: flat as it is published, and as an object, as OpenAI sends it and its SDK for Python
/// looks for it. Another vendor's word for its kind is not told.
pub(super) fn event(fault: &Fault) -> Value {
    let Fault { message, kind, code, param } = fault;
    let kind = kind.as_deref().filter(openai::fault::is_word).unwrap_or("server_error");
    let code = code.as_deref().unwrap_or(kind);
    let error = json!({"type": kind, "code": code, "message": message, "param": param});
    json!({"code": code, "message": message, "param": param, "error": error})
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
                json!({"error": {"message": "No.", "type": "invalid_request_error", "param": "input", "code": null}}),
                fault("No.", ["invalid_request_error", "", "input"]),
            ),
            (
                json!({"id": "resp_1", "object": "response", "status": "failed",
                    "error": {"code": "rate_limit_exceeded", "message": "Slow."}}),
                fault("Slow.", ["", "rate_limit_exceeded", ""]),
            ),
            (
                json!({"type": "error", "code": "server_error", "message": "Oh.", "param": null, "sequence_number": 3}),
                fault("Oh.", ["", "server_error", ""]),
            ),
            (
                json!({"type": "error", "sequence_number": 3, "error": {"type": "tokens", "message": "Oh."}}),
                fault("Oh.", ["tokens", "", ""]),
            ),
        ] {
            assert_eq!(read(&body), read_as, "{body}");
        }
    }

    #[test]
    fn an_error_that_is_written_reads_the_same() {
        let said = fault("a \"b\"\n", ["requests", "c", "p"]);
        assert_eq!(read(&write(429, &said, Map::new(), "1")), said);
        assert_eq!(read(&event(&said)), said);
    }
}
