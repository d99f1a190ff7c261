//! What a request reaches besides its own words: read from its body in every dialect, decided on by the tenant.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::arithmetic_side_effects, reason = "tests")]

mod support;

#[path = "reach/kept.rs"]
mod kept;

use proptest::prelude::*;
use serde_json::{Value, json};
use support::World;
use tollgate::catalog::Catalog;
use tollgate::dialect::{Dialect, Endpoint, Envelope};
use tollgate::reach::{Barrier, Named, Reach, What, of_json};
use tollgate::refusal::Refusal;
use tollgate::wire::{Ask, Denial};

const ENDPOINTS: [Endpoint; 4] = [Endpoint::Chat, Endpoint::Responses, Endpoint::Messages, Endpoint::Generate];

/// The least that a request of `endpoint` has to say, and `members` besides.
fn body(endpoint: Endpoint, members: &str) -> String {
    let least = match endpoint {
        Endpoint::Chat => r#""model":"m""#,
        Endpoint::Responses => r#""model":"m""#,
        Endpoint::Messages => r#""model":"m","max_tokens":9"#,
        _ => r#""contents":[]"#,
    };
    let comma = if members.is_empty() { "" } else { "," };
    format!("{{{least}{comma}{members}}}")
}

fn envelope(endpoint: Endpoint, members: &str) -> Envelope {
    let body = body(endpoint, members);
    match endpoint {
        Endpoint::Generate => Envelope::read_gemini(endpoint, "m", false, body.as_bytes()).unwrap(),
        _ => Envelope::read(endpoint, body.as_bytes()).unwrap(),
    }
}

fn reach(endpoint: Endpoint, members: &str) -> Reach {
    envelope(endpoint, members).reach
}

/// What is named, as `what field id`.
fn named(reach: &Reach) -> Vec<String> {
    let shown = |Named { what, field, id }: &Named| format!("{what:?} {field} {id}").trim_end().to_owned();
    reach.named.iter().map(shown).collect()
}

/// A tenant whose models are answered by `p`, which speaks all dialects, or `q`, which is nobody else's, and by `chat`.
fn world(policy: &Value) -> World {
    let mut world = World::new(policy, None);
    let mut config = world.tenant.config().clone();
    let all = json!(["openai", "responses", "anthropic", "gemini"]);
    let target = |provider: &str| json!({"targets": [{"provider": provider, "model": "up"}], "max_output": 100});
    let document = json!({
        "providers": {
            "p": {"dialect": all, "base_url": "http://p/v1"},
            "q": {"dialect": all, "base_url": "http://q/v1", "shared": false},
            "chat": {"dialect": "openai", "base_url": "http://chat/v1"},
        },
        "models": {
            "m": target("p"), "own": target("q"), "chat": target("chat"),
            "both": {"targets": [{"provider": "p", "model": "up"}, {"provider": "chat", "model": "up"}]},
        },
        "prices": {"p/*": {"input": "1"}, "q/*": {"input": "1"}, "chat/*": {"input": "1"}},
    });
    config.catalog = Catalog::read(&document, 4).unwrap();
    world.configure(config);
    world
}

fn ask(world: &World, model: &str, endpoint: Endpoint, members: &str, owned: &[(&str, &str)]) -> Ask {
    let envelope = envelope(endpoint, members);
    let owned = owned.iter().map(|(id, provider)| ((*id).to_owned(), (*provider).to_owned())).collect();
    let reach = Reach { dialect: Some(endpoint.dialect()), owned, ..envelope.reach };
    Ask { model: model.to_owned(), shape: envelope.shape, reach, ..world.ask("c", "a", 0, None) }
}

/// The providers that a call may go to, or the refusal.
fn decided(
    policy: &Value,
    model: &str,
    endpoint: Endpoint,
    members: &str,
    owned: &[(&str, &str)],
) -> Result<Vec<String>, Box<Refusal>> {
    let mut world = world(policy);
    let ask = ask(&world, model, endpoint, members, owned);
    let provider = |target: &str| target.split('/').next().unwrap_or_default().to_owned();
    let admission = world.admit(&ask).map_err(|denial| Box::new(Refusal::denied(denial, model)))?;
    Ok(admission.hops.iter().map(|hop| provider(&hop.target)).collect())
}

#[test]
fn an_ordinary_request_reaches_nothing() {
    for (endpoint, members) in [
        (
            Endpoint::Chat,
            r#""messages":[{"role":"user","content":"models, fallbacks and previous_response_id"}],"models":null"#,
        ),
        (
            Endpoint::Chat,
            r#""metadata":{"conversation":"c","file_id":"f"},"store":true,"tools":[{"type":"function","function":
            {"name":"f","parameters":{"properties":{"file_id":{"type":"string"},"model":{"type":"string"}}}}}]"#,
        ),
        (
            Endpoint::Chat,
            r#""messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x.test/files/a.png"}}]}]"#,
        ),
        (Endpoint::Chat, r#""fallbacks":[],"models":[],"route":"","preset":{},"background":false,"deferred":null"#),
        (
            Endpoint::Responses,
            r#""input":[{"type":"message","role":"assistant","id":"msg_1","content":[{"type":"output_text","text":"x"}]},
            {"type":"function_call","id":"fc_1","call_id":"c","name":"f","arguments":"{\"file_id\":\"f\"}"},
            {"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"AAAA"}],"previous_response_id":null,"background":false"#,
        ),
        (
            Endpoint::Messages,
            r#""messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":
            {"file_id":"f","container":"c","models":["x"]}}]}],"container":null"#,
        ),
        (
            Endpoint::Generate,
            r#""cachedContent":null,"tools":[{"functionDeclarations":[{"name":"f","parameters":{"properties":{"fileUri":{}}}}]}]"#,
        ),
    ] {
        let reach = reach(endpoint, members);
        assert!(reach.is_empty(), "{members}: {reach:?}");
    }
}

#[test]
fn another_model_or_place_is_not_chosen_by_a_field_of_any_dialect() {
    for field in [
        r#""models":["dear"]"#,
        r#""models":"dear""#,
        r#""fallbacks":["dear"]"#,
        r#""fallbacks":[{"model":"dear"}]"#,
        r#""route":"fallback""#,
        r#""preset":"@preset/dear""#,
        r#""model_list":[{"model_name":"m","litellm_params":{"model":"dear"}}]"#,
        r#""router_settings_override":{"fallbacks":[{"m":["dear"]}]}"#,
        r#""custom_llm_provider":"other""#,
        r#""api_base":"https://elsewhere.test""#,
        r#""extra_headers":{"x-router":"dear"}"#,
        r#""config":{"targets":[{"override_params":{"model":"dear"}}]}"#,
        // However it is spelt, and wherever routers take it for a field.
        r#""Models":["dear"]"#,
        r#""m\u006fdels":["dear"]"#,
        r#""models":null,"models":["dear"]"#,
        r#""models":["dear"],"models":null"#,
        r#""extra_body":{"models":["dear"]}"#,
        r#""Extra_Body":{"FALLBACKS":["dear"]}"#,
    ] {
        for endpoint in ENDPOINTS {
            let refusal = decided(&json!({}), "m", endpoint, field, &[]).unwrap_err();
            let name = refusal.param.clone().unwrap();
            assert_eq!((refusal.status, refusal.code), (400, Some("unsupported_parameter")), "{endpoint:?} {field}");
            assert!(refusal.message.starts_with(&format!("`{name}` cannot be passed on: it ")), "{}", refusal.message);
            let own = decided(&json!({}), "own", endpoint, field, &[]);
            assert!(own.is_err(), "nobody's account makes it another's model: {endpoint:?} {field}");
        }
    }
    // What a tool of the provider's runs by itself is another model, too; what makes pictures is bounded as all such tools are.
    for (endpoint, tool, refused) in [
        (Endpoint::Messages, r#"{"type":"advisor_20260301","name":"advisor","model":"dear"}"#, true),
        (Endpoint::Responses, r#"{"type":"openrouter:fusion","parameters":{"analysis_models":["dear"]}}"#, true),
        (Endpoint::Responses, r#"{"type":"image_generation","model":"gpt-image-1"}"#, false),
        (Endpoint::Responses, r#"{"type":"image_generation","type":"advisor","model":"dear"}"#, true),
        (Endpoint::Responses, r#"{"type":"web_search"}"#, false),
        (Endpoint::Chat, r#"{"type":"function","function":{"name":"f","model":"x"}}"#, false),
    ] {
        let decision = decided(&json!({}), "m", endpoint, &format!(r#""tools":[{tool}]"#), &[]);
        assert_eq!(decision.is_err(), refused, "{tool}: {decision:?}");
    }
    let plugins = decided(&json!({}), "m", Endpoint::Chat, r#""plugins":[{"id":"fusion","model":"dear"}]"#, &[]);
    assert_eq!(plugins.unwrap_err().param.as_deref(), Some("model"));
    assert!(decided(&json!({}), "m", Endpoint::Chat, r#""plugins":[{"id":"web"}]"#, &[]).is_ok());
    let gateway = r#""providerOptions":{"gateway":{"models":["dear"]}}"#;
    assert!(decided(&json!({}), "m", Endpoint::Chat, gateway, &[]).is_err());
}

#[test]
fn work_behind_the_answer_is_refused_by_name_unless_its_end_can_be_heard_of() {
    for field in [
        r#""background":true"#,
        r#""background":1"#,
        r#""background":"true""#,
        r#""Background":true"#,
        r#""b\u0061ckground":true"#,
        r#""background":true,"background":false"#,
        r#""extra_body":{"background":true}"#,
        r#""deferred":true"#,
        r#""queueRequest":true"#,
        r#""webhook_url":"https://x.test""#,
    ] {
        for endpoint in ENDPOINTS {
            let is_followed = endpoint == Endpoint::Responses && field.to_ascii_lowercase().contains("ground");
            for model in ["m", "own"] {
                let decision = decided(&json!({}), model, endpoint, field, &[]);
                assert_eq!(decision.is_ok(), is_followed, "{endpoint:?} {field}");
                let Err(refusal) = decision else { continue };
                assert_eq!((refusal.status, refusal.code), (400, Some("unsupported_parameter")), "{field}");
                assert!(refusal.message.contains("behind its answer"), "{}", refusal.message);
            }
        }
    }
}

#[test]
fn a_policy_refuses_by_name_what_has_no_bound() {
    let refuse = json!({"unbounded": "refuse"});
    for (endpoint, members, field) in [
        (Endpoint::Chat, r#""web_search_options":{}"#, "web_search_options"),
        (Endpoint::Chat, r#""provider":{"order":["dear"]}"#, "provider"),
        (Endpoint::Chat, r#""max_tokens":9,"n_predict":90000"#, "n_predict"),
        (Endpoint::Chat, r#""max_tokens":9,"max_new_tokens":90000"#, "max_new_tokens"),
        (Endpoint::Chat, r#""options":{"num_predict":90000}"#, "options"),
        (Endpoint::Chat, r#""dataSources":[{"type":"azure_search"}]"#, "dataSources"),
        (Endpoint::Chat, r#""web_search":true"#, "web_search"),
        (
            Endpoint::Chat,
            r#""messages":[{"content":[{"type":"video_url","video_url":{"url":"https://x.test"}}]}]"#,
            "messages",
        ),
        (Endpoint::Chat, r#""service_tier":"priority""#, "service_tier"),
        (Endpoint::Responses, r#""tools":[{"type":"web_search"}]"#, "tools"),
        (Endpoint::Responses, r#""n":5"#, "n"),
        (Endpoint::Messages, r#""speed":"fast""#, "speed"),
        (Endpoint::Messages, r#""mcp_servers":[{"url":"https://x.test"}]"#, "mcp_servers"),
        (Endpoint::Messages, r#""num_completions":5"#, "num_completions"),
        (Endpoint::Generate, r#""tools":[{"googleSearch":{}}]"#, "tools"),
        (Endpoint::Generate, r#""generationConfig":{"numReturnSequences":5}"#, "generationConfig"),
    ] {
        let refusal = decided(&refuse, "m", endpoint, members, &[]).unwrap_err();
        assert_eq!((refusal.status, refusal.param.as_deref()), (400, Some(field)), "{members}");
        assert!(refusal.message.contains("\"reserve\""));
        assert!(decided(&json!({}), "m", endpoint, members, &[]).is_ok(), "{members}");
    }
    for endpoint in ENDPOINTS {
        assert!(decided(&refuse, "m", endpoint, "", &[]).is_ok());
    }
}

#[test]
fn more_answers_are_held_whatever_a_chat_calls_them() {
    for name in
        ["n", "best_of", "num_return_sequences", "num_completions", "num_generations", "candidate_count", "num_beams"]
    {
        let members = format!(r#""messages":[],"{name}":7"#);
        assert_eq!(envelope(Endpoint::Chat, &members).n, 7, "{name}");
        let both = format!(r#""messages":[],"n":2,"{}":7"#, if name == "n" { "best_of" } else { name });
        assert_eq!(envelope(Endpoint::Chat, &both).n, 7, "{name}");
        let many = body(Endpoint::Chat, &format!(r#""{name}":129"#));
        assert!(Envelope::read(Endpoint::Chat, many.as_bytes()).is_err(), "{name}");
    }
}

#[test]
fn of_a_body_of_which_no_more_is_known_all_counts_that_any_provider_reads() {
    for (body, expected) in [
        (r#"{"file_id":"X"}"#, "Kept file_id X"),
        (r#"{"input_file_id":"X","endpoint":"/v1/responses"}"#, "Kept input_file_id X"),
        (r#"{"images":[{"file_id":"X"}]}"#, "Kept file_id X"),
        (r#"[{"previous_response_id":"X"}]"#, "Kept previous_response_id X"),
        (r#"{"background":true}"#, "Later background"),
        (r#"{"models":["dear"]}"#, "Model models"),
        (r#"{"voice":{"id":"X"},"input":"x"}"#, "Kept voice X"),
        (r#"{"a":[{"b":{"vector_store_ids":["X"]}}]} {"file_id":"of the next value"}"#, "Kept vector_store_ids X"),
        (r#"{"previous_response_id":"X","input":"broken off"#, "Kept previous_response_id X"),
    ] {
        assert_eq!(named(&of_json(body.as_bytes())), [expected], "{body}");
    }
    for body in
        [r#"{"background":"transparent","prompt":"x"}"#, r#"{"metadata":{"file_id":"X"}}"#, "", "null", "7", "not JSON"]
    {
        assert!(of_json(body.as_bytes()).is_empty(), "{body}");
    }
}

#[test]
fn a_message_of_a_front_that_knows_none_of_this_is_read() {
    let world = world(&json!({}));
    let ask = ask(&world, "m", Endpoint::Chat, "", &[]);
    let text = serde_json::to_string(&Ask { reach: Reach::default(), ..ask }).unwrap();
    assert!(!text.contains("reach"), "an ordinary call says nothing of it: {text}");
    assert_eq!(serde_json::from_str::<Ask>(&text).unwrap().reach, Reach::default());
    let named = Named { what: What::Kept, field: "f".to_owned(), id: "X".to_owned() };
    let denial = Denial::Reaches(Barrier::Named(named));
    assert_eq!(serde_json::from_str::<Denial>(&serde_json::to_string(&denial).unwrap()).unwrap(), denial);
    assert_eq!(Endpoint::Responses.dialect(), Dialect::Responses);
}

proptest! {
    /// A name is found wherever it stands in what is not understood, however it is escaped, and nothing breaks the reader.
    #[test]
    fn no_depth_and_no_escape_hides_an_id(path in prop::collection::vec(any::<bool>(), 0..6), escaped in any::<u16>(), dialect in 0..4_usize) {
        let name: String = "vector_store_ids".chars().enumerate().map(|(at, letter)| {
            if escaped >> at & 1 == 1 { format!("\\u{:04x}", u32::from(letter)) } else { letter.to_string() }
        }).collect();
        let mut value = format!(r#"{{"{name}":["X"]}}"#);
        for list in path {
            value = if list { format!("[{value}]") } else { format!(r#"{{"a":{value}}}"#) };
        }
        let endpoint = ENDPOINTS[dialect];
        let members = if endpoint == Endpoint::Chat { format!(r#""provider":{value}"#) } else { format!(r#""unheard_of":{value}"#) };
        prop_assert_eq!(named(&reach(endpoint, &members)), ["Kept vector_store_ids X"]);
        prop_assert_eq!(named(&of_json(format!("{{{members}}}").as_bytes())), ["Kept vector_store_ids X"]);
    }

    #[test]
    fn no_bytes_break_the_reader(text in "[\\[\\]{}\",:\\\\u0a \nmodelsfile_id]{0,60}") {
        let _ = of_json(text.as_bytes());
    }
}
