//! Requests: what is read, what is refused and how, and what splicing changes.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tollgate::dialect::{CapField, Edit, Endpoint, Envelope, OutputCap};
use tollgate::units::{CEILING, Tokens};

/// Checks that a request is refused, about `param`, with `message`.
#[track_caller]
fn refuse(endpoint: Endpoint, body: &str, param: Option<&str>, message: &str) {
    let refusal = Envelope::read(endpoint, body.as_bytes()).unwrap_err();
    assert_eq!((refusal.param.as_deref(), refusal.message.as_str()), (param, message), "{body}");
}

#[track_caller]
fn refuse_chat(members: &str, param: &str, message: &str) {
    refuse(Endpoint::Chat, &format!("{{{members}}}"), Some(param), message);
}

#[test]
fn a_body_that_is_no_json_object_is_refused() {
    let chat = Endpoint::Chat;
    let object = "The body must be a JSON object, such as {\"model\": …}.";
    refuse(chat, "[]", None, object);
    refuse(chat, "7", None, object);
    let json = "The body is not valid JSON: EOF while parsing a value at line 1 column 0.";
    refuse(chat, "", None, json);
    let json = "The body is not valid JSON: expected `,` or `}` at line 2 column 1.";
    refuse(chat, "{\"model\":\"m\"\n\"stream\":true}", None, json);
    let json = "The body is not valid JSON: trailing characters at line 1 column 14.";
    refuse(chat, "{\"model\":\"m\"}x", None, json);
    let refusal = Envelope::read(chat, b"{\"model\":\"\xff\"}").unwrap_err();
    assert_eq!(refusal.message, "The body is not UTF-8 (from byte 10); send JSON encoded as UTF-8.");
}

#[test]
fn a_wrong_field_is_refused_by_name() {
    let model = "`model` must be the name of a model, 1 to 256 bytes long; got ";
    refuse_chat("\"n\":1", "model", "`model` is missing; name the model to call.");
    refuse_chat("\"model\":\"\"", "model", &format!("{model}\"\""));
    refuse_chat("\"model\":null", "model", &format!("{model}null"));
    let long = "m".repeat(257);
    refuse_chat(&format!("\"model\":\"{long}\""), "model", &format!("{model}\"{}…", &long[..39]));
    for (members, param, message) in [
        (r#""max_tokens":-5"#, "max_tokens", "a whole number of at least 1; got -5"),
        (r#""max_tokens":0"#, "max_tokens", "a whole number of at least 1; got 0"),
        (r#""max_tokens":1.5"#, "max_tokens", "a whole number of at least 1; got 1.5"),
        (r#""max_tokens":"9""#, "max_tokens", "a whole number of at least 1; got \"9\""),
        (r#""max_tokens":1e400"#, "max_tokens", "a whole number of at least 1; got 1e400"),
        (
            r#""max_completion_tokens":1180591620717411303424"#,
            "max_completion_tokens",
            "at most 9007199254740991; got 1180591620717411303424",
        ),
        (r#""n":129"#, "n", "a whole number from 1 to 128; got 129"),
        (r#""n":[1]"#, "n", "a whole number from 1 to 128; got [1]"),
        (r#""n":1180591620717411303424"#, "n", "a whole number from 1 to 128; got 1180591620717411303424"),
        (r#""stream":1"#, "stream", "true, false or null; got 1"),
        (r#""user":{"a":1}"#, "user", "a string or null; got {\"a\":1}"),
        (r#""stream_options":true"#, "stream_options", "an object or null; got true"),
        (
            r#""stream_options":{"include_usage":"yes"}"#,
            "stream_options.include_usage",
            "true, false or null; got \"yes\"",
        ),
    ] {
        refuse_chat(&format!("{members},\"model\":\"m\""), param, &format!("`{param}` must be {message}"));
    }
    refuse(
        Endpoint::Embeddings,
        r#"{"model":"m"}"#,
        Some("input"),
        "`input` is missing; give the text or the texts to embed.",
    );
}

#[test]
fn a_field_that_can_be_read_in_two_ways_is_refused() {
    let twice = |name: &str| format!("`{name}` is given twice; give it once.");
    refuse_chat(r#""model":"a","model":"b""#, "model", &twice("model"));
    refuse_chat(r#""model":"a","mod\u0065l":"b""#, "model", &twice("model"));
    refuse_chat(
        r#""model":"a","stream_options":{"include_usage":true,"include_usage":false}"#,
        "stream_options.include_usage",
        &twice("stream_options.include_usage"),
    );
    for key in ["Max_Tokens", "max_toKens", "max_tokenſ"] {
        refuse_chat(&format!(r#""model":"a","{key}":7"#), key, &format!("`{key}` is unknown; write it `max_tokens`."));
    }
}

#[test]
fn what_is_asked_for_is_read() {
    let body = br#" {"model":"a\u0062","messages":[{"n":7,"model":"x"}],"stream":true,
        "stream_options":{"x":1,"include_usage":true},"max_tokens":100.0,"n":null,"user":"u",
        "max_completion_tokens":9223372036854775807,"temperature":1e400,"stop":null,"stop":1} "#;
    let envelope = Envelope::read(Endpoint::Chat, body).unwrap();
    assert_eq!((envelope.model.as_str(), envelope.n), ("ab", 1));
    assert!(envelope.stream && envelope.show_usage);
    assert_eq!(envelope.output_cap, Some(Tokens::new(100)));
    let newer =
        Envelope::read(Endpoint::Chat, br#"{"model":"m","max_completion_tokens":9223372036854775807}"#).unwrap();
    assert_eq!(newer.output_cap, Some(Tokens::new(CEILING)));
    assert_eq!(envelope.user.as_deref(), Some("u"));
    let body = br#"{"model":"e","input":["a"],"n":"unread","user":null}"#;
    assert!(Envelope::read(Endpoint::Embeddings, body).is_ok());
}

fn edit(model: &str, cap: Option<u64>, field: CapField, usage: bool) -> Edit<'_> {
    let output_cap = cap.map(|tokens| OutputCap { tokens: Tokens::new(tokens), field });
    Edit { model, output_cap, usage }
}

#[track_caller]
fn splice(before: &str, edit: &Edit<'_>, after: &str) {
    let envelope = Envelope::read(Endpoint::Chat, before.as_bytes()).unwrap();
    let spliced = envelope.splice(before.as_bytes(), edit);
    assert_eq!(str::from_utf8(&spliced).unwrap(), after);
}

#[test]
fn splicing_changes_what_it_must_and_no_other_byte() {
    use CapField::{MaxCompletionTokens as Newer, MaxTokens as Older};
    let all = edit("p/\"q\"", Some(9), Older, true);
    splice(
        "\n{ \"model\" : \"a\" , \"stream\" : true }\n",
        &all,
        "\n{\"max_tokens\":9,\"stream_options\":{\"include_usage\":true}, \
         \"model\" : \"p/\\\"q\\\"\" , \"stream\" : true }\n",
    );
    let same = r#"{"model":"\u0061","stream":true,"stream_options":{"include_usage":true},"n":2}"#;
    splice(same, &edit("a", None, Older, true), same);
    let whole = r#"{"model":"a","stream":false,"stream_options":null}"#;
    splice(whole, &edit("a", None, Older, true), whole);
    for (before, after) in [
        (r#"null"#, r#"{"include_usage":true}"#),
        (r#"{ }"#, r#"{"include_usage":true }"#),
        (r#"{ "x":{}}"#, r#"{"include_usage":true, "x":{}}"#),
        (r#"{"x":1,"include_usage":false}"#, r#"{"x":1,"include_usage":true}"#),
        (r#"{"include_usage" : null}"#, r#"{"include_usage" : true}"#),
    ] {
        let body = |options| format!(r#"{{"stream":true,"stream_options":{options},"model":"a"}}"#);
        splice(&body(before), &edit("a", None, Older, true), &body(after));
        splice(&body(before), &edit("a", None, Older, false), &body(before));
    }
    for (field, before, after) in [
        (Newer, r#""x":1"#, r#""max_completion_tokens":9,"x":1"#),
        (Newer, r#""max_tokens":9"#, r#""max_tokens":9"#),
        (Newer, r#""max_tokens":10"#, r#""max_tokens":9"#),
        (Newer, r#""max_tokens":null"#, r#""max_completion_tokens":9,"max_tokens":null"#),
        (Older, r#""max_tokens":null"#, r#""max_tokens":9"#),
        (Older, r#""max_completion_tokens":3"#, r#""max_tokens":3,"max_completion_tokens":3"#),
        (Older, r#""max_completion_tokens":30"#, r#""max_tokens":9,"max_completion_tokens":9"#),
        (Older, r#""max_completion_tokens":5,"max_tokens":99.0"#, r#""max_completion_tokens":5,"max_tokens":9"#),
    ] {
        let body = |members| format!(r#"{{{members},"model":"a"}}"#);
        splice(&body(before), &edit("a", Some(9), field, false), &body(after));
    }
}

#[test]
fn beside_a_prediction_the_older_cap_is_added_for_openai_refuses_the_newer_there() {
    let newer = edit("a", Some(9), CapField::MaxCompletionTokens, false);
    for (before, after) in [
        (r#""prediction":{}"#, r#""max_tokens":9,"prediction":{}"#),
        (r#""prediction":null"#, r#""max_completion_tokens":9,"prediction":null"#),
        (r#""prediction":{},"max_tokens":null"#, r#""prediction":{},"max_tokens":9"#),
        (r#""prediction":{},"max_completion_tokens":20"#, r#""prediction":{},"max_completion_tokens":9"#),
    ] {
        let body = |members| format!(r#"{{{members},"model":"a"}}"#);
        splice(&body(before), &newer, &body(after));
    }
}

#[test]
fn embeddings_have_no_output_to_cap() {
    let body = br#"{"model":"a","input":"x","stream":true}"#;
    let envelope = Envelope::read(Endpoint::Embeddings, body).unwrap();
    let spliced = envelope.splice(body, &edit("b", Some(9), CapField::MaxTokens, true));
    assert_eq!(spliced, br#"{"model":"b","input":"x","stream":true}"#);
}

/// The answers and the cap of a plain completion with `members`.
fn asked(members: &str) -> (u64, Option<u64>) {
    let envelope = Envelope::read(Endpoint::Completions, format!("{{\"model\":\"m\",{members}}}").as_bytes()).unwrap();
    (envelope.n, envelope.output_cap.map(Tokens::get))
}

#[test]
fn each_prompt_of_a_plain_completion_is_answered_n_or_best_of_times() {
    for (members, expected) in [
        (r#""prompt":"a""#, (1, Some(16))),
        (r#""prompt":["a","[","b"],"max_tokens":7"#, (3, Some(7))),
        (r#""prompt":[1,22,333],"max_tokens":null"#, (1, Some(16))),
        (r#""prompt":[[1,22],[3], []],"n":2"#, (6, Some(16))),
        (r#""prompt":"a","n":2,"best_of":5"#, (5, Some(16))),
        (r#""prompt":["a","b"],"best_of":64,"max_completion_tokens":3"#, (128, Some(16))),
        (r#""prompt":"a","max_tokens":0"#, (1, Some(1))),
    ] {
        assert_eq!(asked(members), expected, "{members}");
    }
    let right = "a text, a list of tokens, or a list of these; got ";
    for (members, param, message) in [
        ("\"n\":1", "prompt", "is missing; give the text or the texts to go on from.".to_owned()),
        ("\"prompt\":null", "prompt", "is missing; give the text or the texts to go on from.".to_owned()),
        ("\"prompt\":[]", "prompt", format!("must be {right}[]")),
        ("\"prompt\":{}", "prompt", format!("must be {right}{{}}")),
        ("\"prompt\":[1,\"a\"]", "prompt", format!("must be {right}[1,\"a\"]")),
        ("\"prompt\":[[\"a\",\"b\"]]", "prompt", format!("must be {right}[[\"a\",\"b\"]]")),
        (
            "\"prompt\":[\"a\",\"b\"],\"n\":65",
            "prompt",
            "asks for 130 answers, with `n` and `best_of`; ask for at most 128.".to_owned(),
        ),
        ("\"prompt\":\"a\",\"best_of\":0", "best_of", "must be a whole number from 1 to 128; got 0".to_owned()),
        ("\"prompt\":\"a\",\"prompt\":\"b\"", "prompt", "is given twice; give it once.".to_owned()),
        ("\"prompt\":\"a\",\"Best_Of\":9", "Best_Of", "is unknown; write it `best_of`.".to_owned()),
    ] {
        let body = format!("{{\"model\":\"m\",{members}}}");
        refuse(Endpoint::Completions, &body, Some(param), &format!("`{param}` {message}"));
    }
}

#[test]
fn a_plain_completion_is_capped_by_the_older_name_alone() {
    let newer = edit("m", Some(9), CapField::MaxCompletionTokens, true);
    for (before, after) in [
        (r#""prompt":"a""#, r#""max_tokens":9,"prompt":"a""#),
        (r#""prompt":"a","max_tokens":0"#, r#""prompt":"a","max_tokens":0"#),
        (r#""prompt":"a","max_tokens":30"#, r#""prompt":"a","max_tokens":9"#),
        (r#""prompt":"a","max_tokens":null"#, r#""prompt":"a","max_tokens":9"#),
        (r#""max_completion_tokens":3,"prompt":"a""#, r#""max_tokens":9,"max_completion_tokens":3,"prompt":"a""#),
        (
            r#""stream":true,"max_tokens":1,"prompt":"a""#,
            r#""stream_options":{"include_usage":true},"stream":true,"max_tokens":1,"prompt":"a""#,
        ),
    ] {
        let body = |members| format!("{{{members},\"model\":\"m\"}}");
        let before = body(before);
        let envelope = Envelope::read(Endpoint::Completions, before.as_bytes()).unwrap();
        let spliced = envelope.splice(before.as_bytes(), &newer);
        assert_eq!(str::from_utf8(&spliced).unwrap(), body(after));
    }
}

/// What splicing means, on values.
fn edited(body: &Value, edit: &Edit<'_>) -> Value {
    let mut body: Map<String, Value> = body.as_object().unwrap().clone();
    body.insert("model".to_owned(), edit.model.into());
    if let Some(cap) = edit.output_cap {
        let fields = ["max_tokens", "max_completion_tokens"];
        let given = |field: &&str| body.get(*field).is_some_and(|value| !value.is_null());
        let given: Vec<&str> = fields.into_iter().filter(given).collect();
        if given.is_empty() {
            body.insert(cap.field.as_str().to_owned(), cap.tokens.get().into());
        }
        if given == ["max_completion_tokens"] && cap.field == CapField::MaxTokens {
            let given = body["max_completion_tokens"].as_u64().unwrap();
            body.insert("max_tokens".to_owned(), given.min(cap.tokens.get()).into());
        }
        for field in given {
            if body[field].as_u64().unwrap() > cap.tokens.get() {
                body.insert(field.to_owned(), cap.tokens.get().into());
            }
        }
    }
    if edit.usage && body.get("stream") == Some(&Value::Bool(true)) {
        let options = body.entry("stream_options").or_insert(Value::Null);
        if options.is_null() {
            *options = json!({});
        }
        options["include_usage"] = true.into();
    }
    Value::Object(body)
}

fn body() -> impl Strategy<Value = Value> {
    let cap = || prop::option::of(prop_oneof![Just(Value::Null), (1..50_u64).prop_map(Value::from)]);
    let flag = || prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from)];
    let options = (prop::option::of(flag()), prop::option::of(".{0,5}")).prop_map(|(flag, other)| {
        let mut options = Map::new();
        options.extend(flag.map(|flag| ("include_usage".to_owned(), flag)));
        options.extend(other.map(|other| ("a".to_owned(), other.into())));
        Value::Object(options)
    });
    let options = prop::option::of(prop_oneof![Just(Value::Null), options]);
    let fields = (".{1,9}", cap(), cap(), prop::option::of(flag()), options, ".{0,9}");
    fields.prop_map(|(model, older, newer, stream, options, text)| {
        let mut body = Map::new();
        body.insert("model".to_owned(), model.into());
        body.insert("messages".to_owned(), json!([{"content": text, "model": "x"}]));
        body.insert(format!("a{text}"), json!({"max_tokens": 7}));
        body.extend(older.map(|cap| ("max_tokens".to_owned(), cap)));
        body.extend(newer.map(|cap| ("max_completion_tokens".to_owned(), cap)));
        body.extend(stream.map(|stream| ("stream".to_owned(), stream)));
        body.extend(options.map(|options| ("stream_options".to_owned(), options)));
        Value::Object(body)
    })
}

proptest! {
    #[test]
    fn splicing_is_editing_the_value(
        body in body(),
        model in ".{1,9}",
        cap in prop::option::of(1..50_u64),
        newer in any::<bool>(),
        usage in any::<bool>(),
        pretty in any::<bool>(),
    ) {
        let text = if pretty { format!("{body:#}") } else { body.to_string() };
        let field = if newer { CapField::MaxCompletionTokens } else { CapField::MaxTokens };
        let edit = edit(&model, cap, field, usage);
        let envelope = Envelope::read(Endpoint::Chat, text.as_bytes()).unwrap();
        let spliced = envelope.splice(text.as_bytes(), &edit);
        let read: Value = serde_json::from_slice(&spliced).unwrap();
        prop_assert_eq!(&read, &edited(&body, &edit));

        // A second time there is nothing left to change.
        let envelope = Envelope::read(Endpoint::Chat, &spliced).unwrap();
        prop_assert_eq!(envelope.splice(&spliced, &edit), spliced);
    }

    #[test]
    fn no_change_is_no_change(body in body(), pretty in any::<bool>()) {
        let text = if pretty { format!("{body:#}") } else { body.to_string() };
        let envelope = Envelope::read(Endpoint::Chat, text.as_bytes()).unwrap();
        let edit = edit(&envelope.model, None, CapField::MaxTokens, false);
        prop_assert_eq!(envelope.splice(text.as_bytes(), &edit), text.as_bytes());
    }

    #[test]
    fn no_body_breaks_the_reader(body in "[{}\\[\\]\",:a-f0-9 \\\\]{0,60}") {
        let _ = Envelope::read(Endpoint::Chat, body.as_bytes());
        let members = format!("{{\"model\":\"m\",\"max_tokens\":{body}}}");
        let _ = Envelope::read(Endpoint::Chat, members.as_bytes());
    }
}
