//! Bodies that the gateway itself says: errors, and the list of models.

use serde::Serialize;
use serde_json::{Map, Value};

/// The body of an error, with all four keys of OpenAI's, `code` and `param` as null if need be.
/// The members of `extra` stand beside them; they cannot replace one of the four.
pub fn error_body(
    message: &str,
    kind: &str,
    code: Option<&str>,
    param: Option<&str>,
    extra: Option<Map<String, Value>>,
) -> String {
    let mut extra = extra.unwrap_or_default();
    for key in ["message", "type", "param", "code"] {
        extra.remove(key);
    }
    to_json(&ErrorBody { error: Inner { message, kind, param, code, extra } })
}

/// An [`error_body`] as the last frame of a stream that has begun.
pub fn error_event(body: &str) -> String {
    format!("event: error\ndata: {body}\n\n")
}

/// The list of the models `ids`, in their order. `created` is in seconds since 1970.
pub fn models_list<'a>(ids: impl IntoIterator<Item = &'a str>, created: u64) -> String {
    let data = ids.into_iter().map(|id| Model::new(id, created)).collect();
    to_json(&ModelsList { object: "list", data })
}

/// One model. `created` is in seconds since 1970.
pub fn model(id: &str, created: u64) -> String {
    to_json(&Model::new(id, created))
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: Inner<'a>,
}

#[derive(Serialize)]
struct Inner<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    param: Option<&'a str>,
    code: Option<&'a str>,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

#[derive(Serialize)]
struct ModelsList<'a> {
    object: &'static str,
    data: Vec<Model<'a>>,
}

#[derive(Serialize)]
struct Model<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'static str,
}

impl<'a> Model<'a> {
    const fn new(id: &'a str, created: u64) -> Self {
        Self { id, object: "model", created, owned_by: "tollgate" }
    }
}

/// `value` as JSON text. Strings, numbers and maps keyed by strings cannot fail.
fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_its_four_keys_whatever_is_beside_them() {
        assert_eq!(
            error_body("a \"b\"\n", "server_error", None, None, None),
            r#"{"error":{"message":"a \"b\"\n","type":"server_error","param":null,"code":null}}"#
        );
        let extra = Map::from_iter([("code".to_owned(), 7.into()), ("available".to_owned(), 3.into())]);
        let body = error_body("m", "requests", Some("c"), Some("p"), Some(extra));
        assert_eq!(
            error_event(&body),
            "event: error\ndata: {\"error\":{\"message\":\"m\",\"type\":\"requests\",\
             \"param\":\"p\",\"code\":\"c\",\"available\":3}}\n\n"
        );
    }

    #[test]
    fn models_are_listed_in_their_order() {
        assert_eq!(models_list([], 5), r#"{"object":"list","data":[]}"#);
        assert_eq!(
            models_list(["b", "a"], 5),
            format!(r#"{{"object":"list","data":[{},{}]}}"#, model("b", 5), model("a", 5))
        );
        assert_eq!(model("b", 5), r#"{"id":"b","object":"model","created":5,"owned_by":"tollgate"}"#);
    }
}
