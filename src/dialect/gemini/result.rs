//! What a tool said, as the object `response` that Gemini wants it in.
//!
//! | what was said | `response` |
//! |---|---|
//! | nothing, or only media | `{}`; as an error the last form, of nothing |
//! | a text that is a JSON object | the object |
//! | another text | `{"output": text}` |
//! | a text that is an error | `{"error": text}` |
//! | more than a text, media after it | `{"content": [{"type": "text", "text": …}, {"$ref": name}, …], "isError": true}` |
//!
//! Media stand beside it in `parts`, each under the name that a `$ref` has. The last form is that of the Model Context
//! Protocol, whose results Google's SDKs pass on so. Any other object is read as its JSON text.

use crate::chat::Part;
use serde_json::{Map, Value, json};

/// Media beside a response, with their names.
pub(super) type Beside = Vec<(Option<String>, Part)>;

/// Reads a response and the media `beside` it: what was said, and whether it is an error.
pub(super) fn read(response: &Value, beside: Beside) -> (Vec<Part>, bool) {
    let Some(members) = response.as_object() else {
        return (with_rest(texts(response), beside), false);
    };
    let mut only = members.iter();
    match (only.next(), only.next()) {
        (None, _) => (with_rest(Vec::new(), beside), false),
        (Some((name, value)), None) if name == "output" => (with_rest(texts(value), beside), false),
        (Some((name, value)), None) if name == "error" => (with_rest(texts(value), beside), true),
        _ => read_content(members, beside),
    }
}

/// Writes what was said: the response, and the media beside it.
pub(super) fn write(said: &[Part], failed: bool) -> (Value, Vec<Value>) {
    let mut beside = Vec::new();
    for part in said {
        let Some(mut written) = super::media::write(part) else { continue };
        if !in_order(said) {
            let blob = written.as_object_mut().and_then(|part| part.values_mut().next()?.as_object_mut());
            blob.map(|blob| blob.insert("displayName".to_owned(), name(beside.len()).into()));
        }
        beside.push(written);
    }
    let response = match said {
        [Part::Text(text), ..] if in_order(said) && failed => json!({"error": text.text}),
        [Part::Text(text), ..] if in_order(said) => object(&text.text).unwrap_or_else(|| json!({"output": text.text})),
        _ if in_order(said) && failed => content(&[], true),
        _ if in_order(said) => json!({}),
        _ => content(said, failed),
    };
    (response, beside)
}

/// Whether `said` is at most one text, and media after it.
fn in_order(said: &[Part]) -> bool {
    !said.iter().skip(1).any(|part| matches!(part, Part::Text(_)))
}

fn content(said: &[Part], failed: bool) -> Value {
    let mut media: usize = 0;
    let pieces = said.iter().map(|part| match part {
        Part::Text(text) => json!({"type": "text", "text": text.text}),
        _ => {
            media = media.saturating_add(1);
            json!({"$ref": name(media.saturating_sub(1))})
        }
    });
    let mut content = Map::from_iter([("content".to_owned(), pieces.collect::<Vec<_>>().into())]);
    if failed {
        content.insert("isError".to_owned(), true.into());
    }
    content.into()
}

fn name(nth: usize) -> String {
    format!("media_{nth}")
}

fn read_content(members: &Map<String, Value>, mut beside: Beside) -> (Vec<Part>, bool) {
    let json = || Part::text(Value::Object(members.clone()).to_string());
    let is_known = |name: &String| matches!(name.as_str(), "content" | "isError");
    let failed = members.get("isError").is_some_and(|failed| *failed == Value::Bool(true));
    let pieces = members.get("content").and_then(Value::as_array).filter(|_| members.keys().all(is_known));
    let Some(pieces) = pieces else {
        return (with_rest(vec![json()], beside), false);
    };
    let mut said = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let text = |name: &str| piece.get(name).and_then(Value::as_str);
        let named = text("$ref").and_then(|wanted| beside.iter().position(|(name, _)| name.as_deref() == Some(wanted)));
        match (named, text("type"), text("text")) {
            (Some(at), _, _) => said.push(beside.remove(at).1),
            (None, Some("text"), Some(text)) => said.push(Part::text(text)),
            _ => return (with_rest(vec![json()], beside), failed),
        }
    }
    (with_rest(said, beside), failed)
}

fn texts(value: &Value) -> Vec<Part> {
    vec![value.as_str().map_or_else(|| Part::text(value.to_string()), Part::text)]
}

fn with_rest(mut said: Vec<Part>, beside: Beside) -> Vec<Part> {
    said.extend(beside.into_iter().map(|(_, part)| part));
    said
}

/// The object that `text` is, if all that it says can be read from that again: no number too long to keep, no name
/// twice, no member that means something here.
fn object(text: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(text).ok().filter(Value::is_object)?;
    let written = value.to_string();
    let same = written == packed(text) && read(&value, Vec::new()) == (vec![Part::text(written)], false);
    same.then_some(value)
}

/// JSON without the white space between its words.
fn packed(json: &str) -> String {
    let (mut within, mut escaped) = (false, false);
    let mut stays = |letter: &char| {
        let is_space = !within && letter.is_ascii_whitespace();
        within ^= *letter == '"' && !escaped;
        escaped = within && *letter == '\\' && !escaped;
        !is_space
    };
    json.chars().filter(|letter| stays(letter)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Media;

    fn image(data: &str) -> Part {
        let media = Media::Inline { kind: "image/png".to_owned(), data: data.to_owned() };
        Part::Image { media, detail: None, cache: None }
    }

    const NUMBERS: &str = "{\"a\":12345678901234567890123,\"b\":0.12345678901234567890,\"c\":1.0}";

    #[test]
    fn what_a_tool_said_is_read_as_it_was_written() {
        let text = Part::text;
        for (said, failed, response) in [
            (vec![], false, json!({})),
            (vec![], true, json!({"content": [], "isError": true})),
            (vec![text("18 C")], false, json!({"output": "18 C"})),
            (vec![text("")], false, json!({"output": ""})),
            (vec![text("no data")], true, json!({"error": "no data"})),
            (vec![text("{\"a\":1}")], false, json!({"a": 1})),
            (vec![text("{\"a\":1}")], true, json!({"error": "{\"a\":1}"})),
            (vec![text("{}")], false, json!({"output": "{}"})),
            (vec![text("{\"output\":1}")], false, json!({"output": "{\"output\":1}"})),
            (vec![text("{\"a\":1,\"a\":2}")], false, json!({"output": "{\"a\":1,\"a\":2}"})),
            // No number is rounded.
            (vec![text(NUMBERS)], false, serde_json::from_str(NUMBERS).unwrap()),
            (vec![text("[1]")], false, json!({"output": "[1]"})),
            (vec![text("a"), image("AA==")], false, json!({"output": "a"})),
            (vec![image("AA==")], false, json!({})),
            (vec![image("AA==")], true, json!({"content": [], "isError": true})),
            (
                vec![image("AA=="), text("a"), image("AQ==")],
                true,
                json!({"content": [{"$ref": "media_0"}, {"type": "text", "text": "a"}, {"$ref": "media_1"}], "isError": true}),
            ),
        ] {
            let (written, beside) = write(&said, failed);
            assert_eq!(written, response);
            let blob =
                |part: &Value, name: &str| part["inlineData"].get(name).and_then(Value::as_str).map(str::to_owned);
            let beside = beside.iter().map(|part| (blob(part, "displayName"), image(&blob(part, "data").unwrap())));
            assert_eq!(read(&written, beside.collect()), (said, failed), "{response}");
        }
    }

    #[test]
    fn objects_that_others_write_are_understood() {
        for (response, said, failed) in [
            (json!({"result": [1, 2]}), "{\"result\":[1,2]}", false),
            (json!({"output": {"x": 1}}), "{\"x\":1}", false),
            (json!({"error": {"code": 5}}), "{\"code\":5}", true),
            (json!({"content": [{"type": "text", "text": "a"}], "isError": true}), "a", true),
            (json!({"content": [{"type": "x"}]}), "{\"content\":[{\"type\":\"x\"}]}", false),
            (json!({"content": "a"}), "{\"content\":\"a\"}", false),
            (json!("bare"), "bare", false),
        ] {
            assert_eq!(read(&response, Vec::new()), (vec![Part::text(said)], failed), "{response}");
        }
        assert_eq!(write(&[Part::text("{ \"a b\" : [ 1, \"x \\\" y\" ] }")], false).0, json!({"a b": [1, "x \" y"]}));
    }
}
