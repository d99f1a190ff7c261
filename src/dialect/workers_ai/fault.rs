//! What went wrong, as Workers AI tells it.

use crate::chat::Fault;
use crate::dialect::openai;
use serde_json::Value;

/// Reads an error: `{"internalCode", "description", "name"}`, `{"errors": [{"code", "message"}]}`, or as OpenAI has it.
///
/// A number before the message, as in `3040: Capacity temporarily exceeded`, is its code.
pub fn read(body: &Value) -> Fault {
    let mut fault = openai::fault::read(body);
    if let Some(code) = code(body) {
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        fault = Fault { code: Some(code), kind: text("name"), ..fault };
        fault.message = text("description").unwrap_or(fault.message);
    }
    if fault.code.is_none()
        && let Some((code, message)) = fault.message.split_once(": ")
        && !code.is_empty()
        && code.bytes().all(|byte| byte.is_ascii_digit())
    {
        (fault.code, fault.message) = (Some(code.to_owned()), message.to_owned());
    }
    fault
}

/// Whether `body` tells an error, and no answer.
pub(super) fn is_fault(body: &Value) -> bool {
    let says = |name: &str| body.get(name).is_some_and(|error| !openai::fault::is_empty(error));
    code(body).is_some() || says("error") || says("errors")
}

fn code(body: &Value) -> Option<String> {
    body.get("internalCode").and_then(Value::as_u64).filter(|code| *code > 0).map(|code| code.to_string())
}
