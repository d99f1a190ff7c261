//! Requests: what is read, what is refused and how, and what splicing changes.

use super::*;
use crate::dialect::{CapField, Edit, OutputCap};
use proptest::prelude::*;
use serde_json::Value;

/// Checks that a request with `members` is refused, about `param`.
#[track_caller]
fn refuse(members: &str, param: &str, message: &str) {
    let body = format!("{{{members}}}");
    let refusal = Envelope::read(Endpoint::Messages, body.as_bytes()).unwrap_err();
    assert_eq!((refusal.param.as_deref(), refusal.message.as_str()), (Some(param), message), "{body}");
}

#[test]
fn a_wrong_field_is_refused_by_name() {
    refuse(r#""max_tokens":9"#, "model", "`model` is missing; name the model to call.");
    refuse(
        r#""model":"","max_tokens":9"#,
        "model",
        "`model` must be the name of a model, 1 to 256 bytes long; got \"\"",
    );
    refuse(r#""model":"m""#, "max_tokens", "`max_tokens` is missing; give the most tokens that the answer may have.");
    for (members, param, message) in [
        (r#""max_tokens":null"#, "max_tokens", "must be a whole number of at least 0; got null"),
        (r#""max_tokens":-1"#, "max_tokens", "must be a whole number of at least 0; got -1"),
        (
            r#""max_tokens":99999999999999999999"#,
            "max_tokens",
            "must be at most 9007199254740991; got 99999999999999999999",
        ),
        (r#""max_tokens":9,"stream":1"#, "stream", "must be true, false or null; got 1"),
        (r#""max_tokens":9,"metadata":{"user_id":7}"#, "metadata.user_id", "must be a string or null; got 7"),
        (
            r#""max_tokens":9,"thinking":{"type":"enabled","budget_tokens":"x"}"#,
            "thinking.budget_tokens",
            "must be a whole number of at least 0; got \"x\"",
        ),
        (r#""max_tokens":9,"max_tokens":8"#, "max_tokens", "is given twice; give it once."),
        (r#""max_tokens":9,"max_\u0074okens":8"#, "max_tokens", "is given twice; give it once."),
        (r#""max_tokens":9,"Max_Tokens":8"#, "Max_Tokens", "is unknown; write it `max_tokens`."),
        (
            r#""max_tokens":9,"thinking":{"type":"enabled","budget_tokens":1,"budget_tokens":2}"#,
            "thinking.budget_tokens",
            "is given twice; give it once.",
        ),
    ] {
        refuse(&format!("\"model\":\"m\",{members}"), param, &format!("`{param}` {message}"));
    }
    let whole = |body: &str| Envelope::read(Endpoint::Messages, body.as_bytes()).unwrap_err().message;
    assert_eq!(whole("[]"), "The body must be a JSON object, such as {\"model\": …}.");
    assert_eq!(whole("{"), "The body is not valid JSON: EOF while parsing an object at line 1 column 1.");
}

#[test]
fn what_is_asked_for_is_read() {
    let body = br#" {"messages":[{"model":"x"}],"model":"a\u0062","max_tokens":100.0,"stream":true,
        "metadata":{"user_id":"u","team":1},"thinking":{"type":"disabled","budget_tokens":"unread"}} "#;
    let envelope = Envelope::read(Endpoint::Messages, body).unwrap();
    assert_eq!((envelope.model.as_str(), envelope.n, envelope.stream), ("ab", 1, true));
    assert_eq!((envelope.output_cap, envelope.user.as_deref()), (Some(Tokens::new(100)), Some("u")));
    let none = Envelope::read(Endpoint::Messages, br#"{"model":"m","max_tokens":0,"metadata":null}"#).unwrap();
    assert_eq!(none.output_cap, Some(Tokens::new(1)), "a cap of none at all fills the cache");
    let count = Envelope::read(Endpoint::MessagesCount, br#"{"model":"m","messages":[]}"#).unwrap();
    assert_eq!((count.output_cap, count.stream), (None, false));
}

#[track_caller]
fn splice(endpoint: Endpoint, before: &str, model: &str, cap: Option<u64>) -> String {
    let envelope = Envelope::read(endpoint, before.as_bytes()).unwrap();
    let output_cap = cap.map(|tokens| OutputCap { tokens: Tokens::new(tokens), field: CapField::MaxCompletionTokens });
    let spliced = envelope.splice(before.as_bytes(), &Edit { model, output_cap, usage: true });
    String::from_utf8(spliced).unwrap()
}

#[test]
fn splicing_changes_what_it_must_and_no_other_byte() {
    for (before, cap, after) in [
        (r#" {"model" : "a", "max_tokens" : 100 } "#, Some(9), r#" {"model" : "p/\"q\"", "max_tokens" : 9 } "#),
        (r#"{"model":"a","max_tokens":100}"#, Some(100), r#"{"model":"p/\"q\"","max_tokens":100}"#),
        (r#"{"model":"a","max_tokens":100}"#, None, r#"{"model":"p/\"q\"","max_tokens":100}"#),
        (r#"{"model":"a","max_tokens":0}"#, Some(1), r#"{"model":"p/\"q\"","max_tokens":0}"#),
    ] {
        assert_eq!(splice(Endpoint::Messages, before, "p/\"q\"", cap), after);
    }
    let count = r#"{"model":"a","messages":[],"max_tokens":100}"#;
    assert_eq!(splice(Endpoint::MessagesCount, count, "b", Some(9)), count.replace("\"a\"", "\"b\""));
}

#[test]
fn a_budget_is_lowered_below_its_cap_or_taken_out() {
    let thinking = r#""thinking":{"type":"enabled","budget_tokens":8000,"display":"omitted"}"#;
    let lowered = |budget: u64| thinking.replace("8000", &budget.to_string());
    for (before, cap, after) in [
        (r#"{"model":"m","max_tokens":9000,T}"#, 8_001, format!(r#"{{"model":"m","max_tokens":8001,{thinking}}}"#)),
        (
            r#"{"model":"m","max_tokens":9000,T}"#,
            8_000,
            format!(r#"{{"model":"m","max_tokens":8000,{}}}"#, lowered(7_999)),
        ),
        (
            r#"{"model":"m","max_tokens":9000,T}"#,
            1_025,
            format!(r#"{{"model":"m","max_tokens":1025,{}}}"#, lowered(1_024)),
        ),
        (r#"{"model":"m","max_tokens":9000,T}"#, 1_024, r#"{"model":"m","max_tokens":1024}"#.to_owned()),
        (r#"{ T , "model":"m","max_tokens":9000}"#, 5, r#"{ "model":"m","max_tokens":5}"#.to_owned()),
        (r#"{"model":"m" ,T, "max_tokens":9000}"#, 5, r#"{"model":"m" , "max_tokens":5}"#.to_owned()),
    ] {
        let before = before.replace('T', thinking);
        assert_eq!(splice(Endpoint::Messages, &before, "m", Some(cap)), after, "{before}");
    }
    let adaptive = r#"{"model":"m","max_tokens":9000,"thinking":{"type":"adaptive"}}"#;
    assert_eq!(splice(Endpoint::Messages, adaptive, "m", Some(5)), adaptive.replace("9000", "5"));
}

proptest! {
    #[test]
    fn a_spliced_request_is_one_that_the_api_takes(
        given in 1_u64..5_000,
        budget in 1_024_u64..5_000,
        cap in 1_u64..5_000,
        order in proptest::sample::select(vec![[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]]),
        space in "[ \n]{0,2}",
    ) {
        let members = [
            "\"model\":\"m\"".to_owned(),
            format!("\"max_tokens\"{space}:{given}"),
            format!("\"thinking\":{{\"type\":\"enabled\",{space}\"budget_tokens\":{budget}}}"),
        ];
        let members: Vec<&str> = order.into_iter().map(|at: usize| members[at].as_str()).collect();
        let before = format!("{{{space}{}{space}}}", members.join(&format!("{space},{space}")));
        let after: Value = serde_json::from_str(&splice(Endpoint::Messages, &before, "m", Some(cap))).unwrap();
        prop_assert_eq!(after["max_tokens"].as_u64(), Some(given.min(cap)));
        if let Some(left) = after["thinking"]["budget_tokens"].as_u64() {
            prop_assert!(left <= budget && left >= 1_024 && (left < given.min(cap) || given <= cap));
        }
        prop_assert!(cap >= given || cap <= 1_024 || after["thinking"].is_object());
    }
}
