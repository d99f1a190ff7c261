//! The models that a client may call, as its dialect lists them.

use super::Dialect;
use serde_json::{Value, json};

/// A page of all of `ids`: there is never a second.
pub fn list(dialect: Dialect, ids: &[&str]) -> String {
    let models: Vec<Value> = ids.iter().map(|id| model(dialect, id)).collect();
    let page = match dialect {
        Dialect::Gemini => json!({"models": models}),
        Dialect::Anthropic => {
            json!({"data": models, "has_more": false, "first_id": ids.first(), "last_id": ids.last()})
        }
        _ => json!({"object": "list", "data": models}),
    };
    page.to_string()
}

/// One model.
pub fn one(dialect: Dialect, id: &str) -> String {
    model(dialect, id).to_string()
}

/// What a dialect tells of a model. When it was made nobody here knows.
fn model(dialect: Dialect, id: &str) -> Value {
    match dialect {
        Dialect::Gemini => json!({
            "name": format!("models/{id}"), "displayName": id, "supportedGenerationMethods":
            ["generateContent", "streamGenerateContent", "countTokens", "embedContent", "batchEmbedContents"],
        }),
        Dialect::Anthropic => {
            json!({"type": "model", "id": id, "display_name": id, "created_at": "1970-01-01T00:00:00Z"})
        }
        _ => json!({"id": id, "object": "model", "created": 0, "owned_by": "tollgate"}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_listed_in_their_order_in_each_dialect() {
        assert_eq!(list(Dialect::OpenAi, &[]), r#"{"object":"list","data":[]}"#);
        let b = one(Dialect::OpenAi, "b");
        assert_eq!(b, r#"{"id":"b","object":"model","created":0,"owned_by":"tollgate"}"#);
        let a = one(Dialect::OpenAi, "a");
        assert_eq!(list(Dialect::OpenAi, &["b", "a"]), format!(r#"{{"object":"list","data":[{b},{a}]}}"#));
        let page: Value = serde_json::from_str(&list(Dialect::Anthropic, &["b", "a"])).unwrap();
        assert_eq!((&page["first_id"], &page["last_id"], &page["has_more"]), (&json!("b"), &json!("a"), &json!(false)));
        let page: Value = serde_json::from_str(&list(Dialect::Gemini, &["b"])).unwrap();
        assert_eq!(page["models"][0]["name"], "models/b");
    }
}
