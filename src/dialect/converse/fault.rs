//! What went wrong, as Bedrock tells it.

use crate::chat::Fault;
use serde_json::Value;

/// Reads the body of an error. `kind` is the name that stands beside the body: in the header `x-amzn-ErrorType`, or as
/// the name of the exception in a stream; else the body may hold it as `__type`.
pub fn read(body: &Value, kind: Option<&str>) -> Fault {
    let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let message = text("message").or_else(|| text("Message")).or_else(|| text("originalMessage")).or(body.as_str());
    let kind = kind.or_else(|| text("__type")).map(plain).filter(|kind| !kind.is_empty());
    Fault { message: message.unwrap_or_default().to_owned(), kind, code: None, param: None }
}

/// The bare name of an error, `ThrottlingException`: without the namespace before it and the address after it, and in
/// one spelling, as streams begin it with a small letter.
fn plain(kind: &str) -> String {
    let kind = kind.split(':').next().unwrap_or_default();
    let mut letters = kind.rsplit('#').next().unwrap_or_default().trim().chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}
