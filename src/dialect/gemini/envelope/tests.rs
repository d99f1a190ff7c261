//! Envelopes, and what is spliced by them.

use crate::dialect::{BadRequest, CapField, Edit, Endpoint, Envelope, OutputCap};
use crate::units::Tokens;

const ASKED: &str = r#""contents":[{"parts":[{"text":"a"}]}]"#;

fn read(endpoint: Endpoint, body: &str) -> Result<Envelope, BadRequest> {
    Envelope::read_gemini(endpoint, "m", false, body.as_bytes())
}

fn spliced(endpoint: Endpoint, body: &str, model: &str, cap: Option<u64>) -> String {
    let tokens = cap.map(Tokens::new);
    let output_cap = tokens.map(|tokens| OutputCap { tokens, field: CapField::MaxTokens });
    let edit = Edit { model, output_cap, usage: true };
    String::from_utf8(read(endpoint, body).unwrap().splice(body.as_bytes(), &edit)).unwrap()
}

#[test]
fn what_limits_need_is_read() {
    let body = format!(r#"{{{ASKED},"generation_config":{{"candidate_count":3,"maxOutputTokens":5.0}}}}"#);
    let envelope = Envelope::read_gemini(Endpoint::Generate, "a/b", true, body.as_bytes()).unwrap();
    assert_eq!((envelope.model.as_str(), envelope.stream, envelope.n), ("a/b", true, 3));
    assert_eq!(envelope.output_cap, Some(Tokens::new(5)));
    let bare = read(Endpoint::Generate, &format!(r#"{{{ASKED},"generationConfig":null}}"#)).unwrap();
    assert_eq!((bare.stream, bare.n, bare.output_cap), (false, 1, None));
    for (endpoint, body) in [
        (Endpoint::GenerateCount, r#"{"generateContentRequest":{"model":"models/m","contents":[]}}"#),
        (Endpoint::GenerateCount, r#"{"contents":[]}"#),
        (Endpoint::Embed, r#"{"content":{}}"#),
        (Endpoint::EmbedBatch, r#"{"requests":[]}"#),
    ] {
        let envelope = Envelope::read_gemini(endpoint, "m", true, body.as_bytes()).unwrap();
        assert_eq!((envelope.endpoint, envelope.stream), (endpoint, false), "{body}");
    }
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    let config = |config: &str| format!(r#"{{{ASKED},"generationConfig":{config}}}"#);
    for (body, param, what) in [
        (format!(r#"{{{ASKED},"generationConfig":{{}},"generation_config":{{}}}}"#), "generationConfig", "given twice"),
        (format!(r#"{{{ASKED},"GenerationConfig":{{}}}}"#), "GenerationConfig", "write it `generationConfig`"),
        (
            format!(r#"{{{ASKED},"generation\u0043onfig":{{}}}}"#),
            r"generation\u0043onfig",
            "write it `generationConfig`",
        ),
        (config(r#"{"maxoutputtokens":1}"#), "generationConfig.maxoutputtokens", "write it `maxOutputTokens`"),
        (config(r#"{"maxOutputTokens":1,"max_output_tokens":2}"#), "generationConfig.maxOutputTokens", "given twice"),
        (
            config(r#"{"maxOutputTokens":"5"}"#),
            "generationConfig.maxOutputTokens",
            "a whole number of at least 1; got \"5\"",
        ),
        (config(r#"{"maxOutputTokens":0}"#), "generationConfig.maxOutputTokens", "got 0"),
        (config(r#"{"candidateCount":129}"#), "generationConfig.candidateCount", "from 1 to 128; got 129"),
        (config("[]"), "generationConfig", "must be an object; got []"),
        ("{}".to_owned(), "contents", "is missing; give what was said so far"),
    ] {
        let wrong = read(Endpoint::Generate, &body).unwrap_err();
        assert_eq!(wrong.param.as_deref(), Some(param), "{body}");
        assert!(wrong.message.contains(what), "{}", wrong.message);
    }
    for (endpoint, param) in [(Endpoint::Embed, "content"), (Endpoint::EmbedBatch, "requests")] {
        assert_eq!(read(endpoint, r#"{"contents":[]}"#).unwrap_err().param.as_deref(), Some(param));
    }
    for body in ["", "[]", "7", "{\"contents\":[}", "null"] {
        assert_eq!(read(Endpoint::Generate, body).unwrap_err().param, None, "{body}");
    }
    let long = "m".repeat(257);
    assert!(Envelope::read_gemini(Endpoint::Generate, &long, false, b"{\"contents\":[]}").is_err());
    assert!(Envelope::read_gemini(Endpoint::Generate, "m", false, b"\xff").is_err());
}

#[test]
fn a_cap_is_lowered_or_added_and_all_else_stays() {
    for (before, after) in [
        (r#", "generationConfig" : { "maxOutputTokens" : 50 }"#, r#", "generationConfig" : { "maxOutputTokens" : 9 }"#),
        (r#","generationConfig":{"maxOutputTokens":5}"#, r#","generationConfig":{"maxOutputTokens":5}"#),
        (r#","generationConfig":{"maxOutputTokens":null}"#, r#","generationConfig":{"maxOutputTokens":9}"#),
        (r#","generationConfig":{"topK":1}"#, r#","generationConfig":{"maxOutputTokens":9,"topK":1}"#),
        (r#","generation_config":{ }"#, r#","generation_config":{"max_output_tokens":9 }"#),
        (r#","generationConfig":null"#, r#","generationConfig":{"maxOutputTokens":9}"#),
    ] {
        let [before, after] = [before, after].map(|more| format!("{{{ASKED}{more}}}"));
        assert_eq!(spliced(Endpoint::Generate, &before, "other", Some(9)), after);
        assert_eq!(spliced(Endpoint::Generate, &before, "other", None), before);
    }
    let added = format!(r#"{{"generationConfig":{{"maxOutputTokens":9}},{ASKED}}}"#);
    assert_eq!(spliced(Endpoint::Generate, &format!("{{{ASKED}}}"), "m", Some(9)), added);
    let count = format!("{{{ASKED}}}");
    assert_eq!(spliced(Endpoint::GenerateCount, &count, "m", Some(9)), count);
}

#[test]
fn a_model_that_a_body_names_is_the_one_that_is_called() {
    for (endpoint, before, after) in [
        (
            Endpoint::EmbedBatch,
            r#"{"requests":[{"model":"models/m","content":{}},{"content":{},"model": "x"}]}"#,
            r#"{"requests":[{"model":"models/g","content":{}},{"content":{},"model": "models/g"}]}"#,
        ),
        (Endpoint::Embed, r#"{"model":"m","content":{}}"#, r#"{"model":"models/g","content":{}}"#),
        (
            Endpoint::GenerateCount,
            r#"{"generate_content_request":{"model":"models/m","contents":[]}}"#,
            r#"{"generate_content_request":{"model":"models/g","contents":[]}}"#,
        ),
        (Endpoint::Generate, r#"{"model":"dearer","contents":[]}"#, r#"{"model":"models/g","contents":[]}"#),
        (Endpoint::Generate, r#"{"contents":[{"model":"m"}]}"#, r#"{"contents":[{"model":"m"}]}"#),
    ] {
        assert_eq!(spliced(endpoint, before, "g", None), after);
    }
}
