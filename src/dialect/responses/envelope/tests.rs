//! What is read of a request's fields and replaced in them.

use crate::dialect::{BadRequest, CapField, Edit, Endpoint, Envelope, OutputCap};
use crate::units::Tokens;
use proptest::prelude::*;
use serde_json::Value;

fn read(body: &str) -> Result<Envelope, BadRequest> {
    Envelope::read(Endpoint::Responses, body.as_bytes())
}

#[test]
fn a_request_is_read_as_far_as_a_limit_needs() {
    let envelope = read(
        r#" {"model":"m","input":"Hi","stream":true,"max_output_tokens":9.0,"user":null,
        "safety_identifier":"u","metadata":{"max_output_tokens":1}}"#,
    )
    .unwrap();
    assert_eq!((envelope.model.as_str(), envelope.stream, envelope.n), ("m", true, 1));
    assert_eq!((envelope.output_cap, envelope.user.as_deref()), (Some(Tokens::new(9)), Some("u")));
    assert_eq!(read(r#"{"mod\u0065l":"m","max_output_tokens":null}"#).unwrap().output_cap, None);
    let both = read(r#"{"model":"m","safety_identifier":"s","user":"u"}"#).unwrap();
    assert_eq!(both.user.as_deref(), Some("u"));
}

#[test]
fn what_is_wrong_is_named() {
    for (body, param, message) in [
        ("[]", None, "The body must be a JSON object, such as {\"model\": …}."),
        ("{}", Some("model"), "`model` is missing; name the model to call."),
        (r#"{"model":""}"#, Some("model"), "`model` must be the name of a model, 1 to 256 bytes long; got \"\""),
        (r#"{"model":"m","Model":"n"}"#, Some("Model"), "`Model` is unknown; write it `model`."),
        (r#"{"model":"m","model":"n"}"#, Some("model"), "`model` is given twice; give it once."),
        (
            r#"{"model":"m","max_output_tokens":1,"max_output_token\u0073":2}"#,
            Some("max_output_tokens"),
            "`max_output_tokens` is given twice; give it once.",
        ),
        (
            r#"{"model":"m","max_output_tokens":0}"#,
            Some("max_output_tokens"),
            "`max_output_tokens` must be a whole number of at least 1; got 0",
        ),
        (
            r#"{"model":"m","max_output_tokens":9007199254740993}"#,
            Some("max_output_tokens"),
            "`max_output_tokens` must be at most 9007199254740991; got 9007199254740993",
        ),
        (r#"{"model":"m","stream":1}"#, Some("stream"), "`stream` must be true, false or null; got 1"),
        (r#"{"model":"m","user":7}"#, Some("user"), "`user` must be a string or null; got 7"),
    ] {
        let wrong = read(body).unwrap_err();
        assert_eq!((wrong.param.as_deref(), wrong.message.as_str()), (param, message), "{body}");
    }
    assert!(read(r#"{"model":"m""#).unwrap_err().message.starts_with("The body is not valid JSON"));
}

#[test]
fn only_what_is_edited_changes() {
    for (body, cap, spliced) in [
        (r#"{"model": "m", "input": "Hi"}"#, None, r#"{"model": "n", "input": "Hi"}"#),
        (r#"{"model": "m", "input": "Hi"}"#, Some(5), r#"{"max_output_tokens":5,"model": "n", "input": "Hi"}"#),
        (r#"{"max_output_tokens" : 9 ,"model":"m"}"#, Some(5), r#"{"max_output_tokens" : 5 ,"model":"n"}"#),
        (r#"{"max_output_tokens":3,"model":"m"}"#, Some(5), r#"{"max_output_tokens":3,"model":"n"}"#),
        (r#"{"max_output_tokens":null,"model":"m"}"#, Some(5), r#"{"max_output_tokens":5,"model":"n"}"#),
    ] {
        let tokens = cap.map(Tokens::new);
        let output_cap = tokens.map(|tokens| OutputCap { tokens, field: CapField::MaxTokens });
        let edit = Edit { model: "n", output_cap, usage: true };
        let read = read(body).unwrap().splice(body.as_bytes(), &edit);
        assert_eq!(String::from_utf8(read).unwrap(), spliced, "{body}");
    }
}

proptest! {
    #[test]
    fn an_edited_request_reads_as_it_was_edited(given in prop::option::of(1_u64..99), cap in 1_u64..99, extra in "[a-z]{1,8}") {
        let given_text = given.map_or("null".to_owned(), |given| given.to_string());
        let body = format!("{{\"{extra}\":[{{\"model\":\"}}\"}}],\"max_output_tokens\":{given_text},\"model\":\"m\"}}");
        if let Ok(envelope) = read(&body) {
            let output_cap = OutputCap { tokens: Tokens::new(cap), field: CapField::MaxTokens };
            let edit = Edit { model: "\"n\"", output_cap: Some(output_cap), usage: true };
            let spliced = String::from_utf8(envelope.splice(body.as_bytes(), &edit)).unwrap();
            let again = read(&spliced).unwrap();
            prop_assert_eq!(again.output_cap, Some(Tokens::new(given.map_or(cap, |given| given.min(cap)))));
            prop_assert_eq!(again.model, "\"n\"");
            let value: Value = serde_json::from_str(&spliced).unwrap();
            prop_assert_eq!(&value[extra.as_str()][0]["model"], "}");
        }
    }
}
