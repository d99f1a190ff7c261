//! The fixtures that tell one scenario in this dialect.

use serde_json::Value;

/// The stories that every dialect tells.
pub(super) const CASES: [&str; 9] =
    ["text", "tools", "parallel", "image", "schema", "reasoning", "refusal", "length", "error"];

/// The fixture `case` of `kind`: `request.json`, `answer.json` or `sse`.
pub(super) fn fixture(case: &str, kind: &str) -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    std::fs::read_to_string(format!("{root}/tests/fixtures/chat/responses/{case}.{kind}")).unwrap()
}

/// The same as JSON.
pub(super) fn fixture_json(case: &str, kind: &str) -> Value {
    serde_json::from_str(&fixture(case, kind)).unwrap()
}
