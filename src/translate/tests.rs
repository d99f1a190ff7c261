//! Where a request is passed on as it is, where it is translated, and where it is refused.

use super::*;
use crate::dialect::OutputCap;

const CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"Hi"}],"max_tokens":50,"seed":7,"store":true}"#;

fn target<'a>(dialects: &'a [Dialect], lacks: &[Feature], drop_unsupported: bool) -> Target<'a> {
    let edit = Edit { model: "own/name", output_cap: None, usage: true };
    Target {
        dialects,
        lacks: Features::of(lacks),
        refuses: Features::default(),
        drop_unsupported,
        edit,
        cap_field: CapField::MaxTokens,
        max_output: None,
    }
}

fn sent(body: &str, target: &Target<'_>) -> Result<(String, Value, Vec<String>), Unable> {
    let envelope = Envelope::read(Endpoint::Chat, body.as_bytes()).unwrap();
    let Outgoing { path, body: outgoing, dropped, .. } = request(&envelope, body.as_bytes(), target)?;
    Ok((path, serde_json::from_slice(&outgoing.whole(body.as_bytes())).unwrap(), dropped))
}

#[test]
fn a_call_whose_provider_speaks_its_dialect_is_passed_on_as_it_is() {
    let target = target(&[Dialect::Converse, Dialect::OpenAi], &[], false);
    let envelope = Envelope::read(Endpoint::Chat, CHAT.as_bytes()).unwrap();
    let outgoing = request(&envelope, CHAT.as_bytes(), &target).unwrap();
    assert_eq!(str::from_utf8(&outgoing.body.whole(CHAT.as_bytes())).unwrap(), CHAT.replace("\"m\"", "\"own/name\""));
    assert_eq!((outgoing.path.as_str(), outgoing.dropped.len()), ("/chat/completions", 0));
}

#[test]
fn what_a_target_cannot_do_is_refused_by_the_clients_path_or_left_out_and_told() {
    let converse = [Dialect::Converse];
    let refused = Unable::Lacks { feature: Feature::Seed, path: "seed".to_owned() };
    assert_eq!(sent(CHAT, &target(&converse, &[], false)), Err(refused));
    let (path, body, dropped) = sent(CHAT, &target(&converse, &[], true)).unwrap();
    assert_eq!((path.as_str(), dropped), ("/model/own%2Fname/converse", vec!["seed".to_owned(), "store".to_owned()]));
    assert_eq!(body["inferenceConfig"]["maxTokens"], 50);
    let hint = CHAT.replace("\"seed\":7,", "");
    let (_, _, dropped) = sent(&hint, &target(&converse, &[], false)).unwrap();
    assert_eq!(dropped, ["store"], "a hint never refuses");
}

#[test]
fn what_a_model_lacks_counts_in_its_own_dialect_too() {
    let own = [Dialect::OpenAi];
    let refused = Unable::Lacks { feature: Feature::Seed, path: "seed".to_owned() };
    assert_eq!(sent(CHAT, &target(&own, &[Feature::Seed], false)), Err(refused));
    let (_, body, dropped) = sent(CHAT, &target(&own, &[Feature::Seed], true)).unwrap();
    assert_eq!((body.get("seed"), dropped), (None, vec!["seed".to_owned(), "store".to_owned()]));
    let (_, body, dropped) = sent(CHAT, &target(&own, &[Feature::Images], false)).unwrap();
    assert_eq!((&body["seed"], &body["store"], dropped.len()), (&json!(7), &json!(true), 0), "it asks for no image");
}

#[test]
fn a_cap_of_the_gateways_goes_into_what_is_translated() {
    let target = target(&[Dialect::Converse], &[], true);
    let capped = |tokens: u64| {
        let output_cap = Some(OutputCap { tokens: Tokens::new(tokens), field: CapField::MaxTokens });
        let (_, body, _) = sent(CHAT, &Target { edit: Edit { output_cap, ..target.edit }, ..target }).unwrap();
        body["inferenceConfig"]["maxTokens"].clone()
    };
    assert_eq!((capped(20), capped(80)), (json!(20), json!(50)));
}

#[test]
fn an_endpoint_that_a_provider_has_not_is_no_way_there() {
    let body = r#"{"model":"m","input":"x"}"#;
    let envelope = Envelope::read(Endpoint::Embeddings, body.as_bytes()).unwrap();
    for dialect in [Dialect::Converse, Dialect::WorkersAi, Dialect::Anthropic, Dialect::Responses] {
        let unable = request(&envelope, body.as_bytes(), &target(&[dialect], &[], true));
        assert_eq!(unable, Err(Unable::NoEndpoint), "{dialect:?}");
    }
}

#[test]
fn the_first_of_a_providers_dialects_that_has_the_endpoint_is_spoken() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"Hi"}]}"#;
    let envelope = Envelope::read(Endpoint::MessagesCount, body.as_bytes()).unwrap();
    let both = target(&[Dialect::OpenAi, Dialect::Responses], &[], false);
    let outgoing = request(&envelope, body.as_bytes(), &both).unwrap();
    assert_eq!((outgoing.dialect, outgoing.path.as_str()), (Dialect::Responses, "/responses/input_tokens"));
    let none = request(&envelope, body.as_bytes(), &target(&[Dialect::OpenAi], &[], false));
    assert_eq!(none, Err(Unable::NoEndpoint));
}

#[test]
fn a_model_cannot_break_out_of_its_place_in_a_path() {
    let path = |dialect| path(dialect, Endpoint::Chat, "a/../b?c#d%", false).unwrap();
    assert_eq!(path(Dialect::Gemini), "/models/a%2F..%2Fb%3Fc%23d%25:generateContent");
    assert_eq!(path(Dialect::Converse), "/model/a%2F..%2Fb%3Fc%23d%25/converse");
}

#[test]
fn no_number_is_rounded_on_its_way_to_another_dialect() {
    const NUMBERS: &str =
        r#"{"large":31811111111111111111112111111111111111189,"fine":0.12345678901234567890,"whole":1.0}"#;
    let call = json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": NUMBERS}});
    let schema = serde_json::from_str::<Value>(&format!(r#"{{"type":"object","default":{NUMBERS}}}"#)).unwrap();
    let chat = json!({
        "model": "m",
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": "x"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}],
    });
    for dialect in [Dialect::Anthropic, Dialect::Responses, Dialect::Gemini, Dialect::Converse] {
        let (_, body, _) = sent(&chat.to_string(), &target(&[dialect], &[], false)).unwrap();
        let said = body.to_string().replace('\\', "");
        assert_eq!(said.matches(NUMBERS).count(), 2, "{dialect:?}: {said}");
    }
}
