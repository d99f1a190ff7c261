//! What a catalog says of its providers, and what it need not say.

use super::*;
use crate::catalog::{Catalog, DEFAULT};
use serde_json::json;

fn provider(name: &str, document: Value) -> Result<Provider, Invalid> {
    read(name, &Field::root("provider", &document), &built_in())
}

/// What a catalog says of a built-in row that has no place of its own.
fn placed(row: &Value) -> Value {
    let has_place = ["base_url", "binding"].iter().any(|name| row.get(name).is_some());
    if has_place { json!({}) } else { json!({"base_url": "https://a.example/b"}) }
}

fn address(provider: &Provider) -> &str {
    provider.place.address().unwrap_or_default()
}

#[track_caller]
fn refuse(document: Value, problem: &str) {
    let invalid = provider("mine", document).unwrap_err().to_string();
    assert!(invalid.starts_with(problem), "{invalid}");
}

#[test]
fn a_built_in_provider_needs_no_more_than_its_name() {
    let rows: Value = serde_json::from_str(BUILT_IN).unwrap();
    for (name, row) in rows.as_object().unwrap() {
        let read = provider(name, placed(row)).unwrap();
        let local = address(&read).starts_with("http://127.0.0.1:");
        assert!(local || read.place.binding().is_some() || read.secret.is_some(), "{name} is shown no secret");
        assert_eq!(address(&read).starts_with("https://"), !local && read.place.binding().is_none(), "{name}");
    }
    let groq = provider("groq", json!({})).unwrap();
    assert_eq!((address(&groq), groq.secret.as_deref()), ("https://api.groq.com/openai/v1", Some("GROQ_API_KEY")));
    assert_eq!(provider("openai", json!({})).unwrap().dialects, [Dialect::OpenAi, Dialect::Responses]);
}

/// Those whose prices the built-in lists do not have are named.
#[test]
fn a_built_in_provider_has_a_list_of_prices() {
    let rows: Value = serde_json::from_str(BUILT_IN).unwrap();
    let unpriced: Vec<&String> = rows
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, row)| provider(name, placed(row)).unwrap().price_list.is_none())
        .map(|(name, _)| name)
        .collect();
    assert_eq!(unpriced, ["nvidia", "ollama", "lmstudio", "vllm", "litellm", "llamacpp"]);
}

#[test]
fn what_a_catalog_says_stands_in_for_what_is_built_in() {
    let own = json!({"base_url": "http://127.0.0.1:9/v1/", "auth": null, "timeout": "5s", "first_event_timeout": "2s"});
    let read = provider("groq", own).unwrap();
    assert_eq!((address(&read), &read.secret, read.timeout), ("http://127.0.0.1:9/v1", &None, Millis::from_secs(5)));
    assert_eq!(read.first_event_timeout, Some(Millis::from_secs(2)));
}

#[test]
fn a_secret_is_shown_as_the_provider_wants_it() {
    let auth = |auth: Value| {
        let read = provider("mine", json!({"dialect": "openai", "base_url": "http://a", "auth": auth})).unwrap();
        let secrets = read.secrets().map(str::to_owned).collect::<Vec<_>>().join(" ");
        (secrets, read.auth)
    };
    assert_eq!(auth(json!({"bearer": "A"})), ("A".to_owned(), Auth::Bearer));
    assert_eq!(
        auth(json!({"header": "X-Api-Key", "secret": "A"})),
        ("A".to_owned(), Auth::Header("x-api-key".to_owned()))
    );
    assert_eq!(auth(json!({"google": "A"})), ("A".to_owned(), Auth::Google));
    let aws = json!({"access_key_id": "A", "secret_access_key": "B", "session_token": "C", "region": "eu-west-1"});
    let signed = Auth::Aws { key: "B".to_owned(), session: Some("C".to_owned()), region: "eu-west-1".to_owned() };
    assert_eq!(auth(json!({"aws": aws})), ("A B C".to_owned(), signed));
}

#[test]
fn azure_is_an_address_with_the_model_in_it_and_a_query() {
    let azure =
        json!({"base_url": "https://x.openai.azure.com/openai/deployments/{model}", "query": "api-version=2024-10-21"});
    let read = provider("azure", azure).unwrap();
    assert_eq!(address(&read), "https://x.openai.azure.com/openai/deployments/{model}");
    assert_eq!((read.query.as_str(), read.auth), ("api-version=2024-10-21", Auth::Header("api-key".to_owned())));
}

#[test]
fn workers_ai_is_a_binding_and_nothing_is_sent_beside() {
    let built_in = provider("workers-ai-binding", json!({})).unwrap();
    assert_eq!(built_in.place, Place::Binding { binding: "AI".to_owned() });
    assert_eq!((built_in.dialects.as_slice(), &built_in.secret), (&[Dialect::WorkersAi][..], &None));
    let own = json!({"dialect": "workers-ai", "binding": "AI_2", "timeout": "5s", "price_list": "none"});
    assert_eq!(provider("mine", own).unwrap().place.binding(), Some("AI_2"));
    let with = |more: Value| {
        let mut document = json!({"dialect": "workers-ai", "binding": "AI"});
        document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        document
    };
    for (more, problem) in [
        (json!({"base_url": "http://a"}), "provider.base_url: cannot stand beside \"binding\""),
        (json!({"auth": {"bearer": "A"}}), "provider.auth: cannot stand beside \"binding\""),
        (json!({"headers": {"x-a": "b"}}), "provider.headers: cannot stand beside \"binding\""),
        (json!({"query": "a=b"}), "provider.query: cannot stand beside \"binding\""),
        (json!({"binding": "ai"}), "provider.binding: must be the name of a binding"),
        (json!({"binding": ""}), "provider.binding: "),
        (json!({"binding": 7}), "provider.binding: "),
        (json!({"binding": "TENANTS"}), "provider.binding: TENANTS is Tollgate's own binding"),
        (json!({"binding": null}), "provider.binding: is missing"),
        (
            json!({"binding": null, "base_url": "http://a"}),
            "provider.base_url: cannot be where \"workers-ai\" is spoken",
        ),
        (json!({"dialect": "openai"}), "provider.binding: is for the dialect \"workers-ai\" alone"),
        (json!({"dialect": ["workers-ai", "openai"]}), "provider.binding: is for the dialect \"workers-ai\" alone"),
        (json!({"dialect": "openai", "binding": null}), "provider.base_url: is missing"),
    ] {
        refuse(with(more), problem);
    }
}

/// An object and a front of which one is from before there were bindings understand each other.
#[test]
fn a_place_is_written_as_addresses_always_were() {
    for (place, written) in [
        (Place::Address("https://a/v1".to_owned()), json!("https://a/v1")),
        (Place::Binding { binding: "AI".to_owned() }, json!({"binding": "AI"})),
    ] {
        assert_eq!(serde_json::to_value(&place).unwrap(), written);
        assert_eq!(serde_json::from_value::<Place>(written).unwrap(), place);
    }
}

#[test]
fn what_is_wrong_with_a_provider_is_named() {
    let with = |name: &str, value: Value| {
        let mut document = json!({"dialect": "openai", "base_url": "http://a"});
        document[name] = value;
        document
    };
    for (name, value, problem) in [
        ("dialect", json!([]), "provider.dialect: must name at least one dialect"),
        ("dialect", json!(["openai", "soap"]), "provider.dialect[1]: must be one of openai, responses"),
        ("query", json!("a=b c"), "provider.query: must be a query such as"),
        ("query", json!("?a=b"), "provider.query: must be a query such as"),
        ("headers", json!({"Host": "x"}), "provider.headers[\"Host\"]: is no header that may be set here"),
        ("headers", json!({"authorization": "Bearer x"}), "provider.headers[\"authorization\"]: is no header that may"),
        ("headers", json!({"x-a": "b\nc"}), "provider.headers[\"x-a\"]: must have printable ASCII"),
        ("auth", json!({"header": "content-type", "secret": "A"}), "provider.auth: must name a header that may be set"),
        (
            "auth",
            json!({"header": "x-api-key", "secret": "sk-1"}),
            "provider.auth.secret: must be the name of a secret",
        ),
        ("auth", json!({"bearer": "A", "secret": "B"}), "provider.auth.secret: is not a field here"),
        (
            "auth",
            json!({"aws": {"access_key_id": "A", "secret_access_key": "B"}}),
            "provider.auth.aws.region: is missing",
        ),
        ("auth", json!({}), "provider.auth.header: is missing"),
    ] {
        refuse(with(name, value), problem);
    }
    assert_eq!(provider("azure", json!({})).unwrap_err().to_string(), "provider.base_url: is missing");
}

#[test]
fn the_catalog_that_ships_names_built_in_providers() {
    let catalog = Catalog::read(&serde_json::from_str(DEFAULT).unwrap(), 0).unwrap();
    assert_eq!(catalog.providers["anthropic"].dialects, [Dialect::Anthropic]);
}
