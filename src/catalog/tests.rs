//! What a catalog takes, and how it names what it does not.

use super::*;
use serde_json::json;

fn sample() -> Value {
    json!({
        "providers": {
            "openai": {"dialect": "openai", "base_url": "https://api.openai.com/v1", "auth": {"bearer": "OPENAI_API_KEY"}},
            "ollama": {"dialect": "openai", "base_url": "http://127.0.0.1:11434/v1/", "timeout": "30s"}
        },
        "models": {"gpt-4o-mini": {"targets": [
            {"provider": "openai", "model": "gpt-4o-mini"}, {"provider": "ollama", "model": "llama3"}
        ], "max_output": 16384}},
        "prices": {
            "openai/gpt-4o-mini": {"input": "0.15", "output": "0.60", "cached_input": "0.075"},
            "ollama/*": {"input": "0"},
            "ollama/llama*": {"input": "0.01"}
        }
    })
}

#[test]
fn a_catalog_is_read() {
    let catalog = Catalog::read(&sample(), 7).unwrap();
    assert_eq!(catalog.providers["ollama"].base_url, "http://127.0.0.1:11434/v1");
    assert_eq!(catalog.providers["ollama"].output_cap, CapField::MaxTokens);
    assert_eq!(catalog.providers["openai"].output_cap, CapField::MaxCompletionTokens);
    let targets = &catalog.models["gpt-4o-mini"].targets;
    assert_eq!(
        catalog.price(&targets[0], Millis::ZERO).unwrap().0.rates.cached_input,
        Rate::parse_usd("0.075").unwrap()
    );
    assert_eq!(catalog.price(&targets[1], Millis::ZERO).unwrap().0.rates.input, Rate::parse_usd("0.01").unwrap());
    assert_eq!(catalog.secrets().collect::<Vec<_>>(), [("openai", "OPENAI_API_KEY")]);
}

#[test]
fn the_catalog_that_ships_is_valid() {
    let document: Value = serde_json::from_str(DEFAULT).unwrap();
    let catalog = Catalog::read(&document, 0).unwrap();
    for (name, model) in &catalog.models {
        for target in &model.targets {
            assert!(catalog.price(target, Millis::ZERO).is_some(), "{name} has no price");
        }
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (at, value, problem) in [
        ("/providers/openai/dialect", json!("soap"), "providers[\"openai\"].dialect: must be \"openai\"; got \"soap\""),
        ("/providers/openai/base_url", json!("ftp://x"), "providers[\"openai\"].base_url: must be an http"),
        ("/providers/openai/base_url", json!("https://u:p@x"), "must hold no user"),
        ("/providers/openai/auth", json!({"bearer": "sk-abc"}), "must be the name of a secret"),
        ("/providers/openai/auth", json!({"bearer": "ADMIN_TOKEN"}), "Tollgate's own secret"),
        ("/providers/ollama/timeout", json!("1h"), "providers[\"ollama\"].timeout: must be a time from 1s to 10m"),
        ("/models/gpt-4o-mini/targets", json!([]), "targets: must name at least one"),
        ("/models/gpt-4o-mini/targets/0/provider", json!("nobody"), "targets[0].provider: \"nobody\" is not among"),
        ("/models/gpt-4o-mini/targets/0/model", json!("a\nb"), "targets[0].model: must hold no control"),
        ("/models/gpt-4o-mini/max_output", json!(0), "max_output: must be a whole number from 1"),
        ("/prices/openai~1gpt-4o-mini/input", json!(0.15), "input: must be US dollars"),
        ("/prices/openai~1gpt-4o-mini/output", json!("-1"), "output: must be US dollars"),
    ] {
        let mut document = sample();
        *document.pointer_mut(at).unwrap() = value;
        let got = Catalog::read(&document, 1).unwrap_err().to_string();
        assert!(got.starts_with("catalog.") && got.contains(problem), "{at}: {got}");
    }
    let mut document = sample();
    document["prices"]["nobody/x"] = json!({"input": "1"});
    assert!(Catalog::read(&document, 1).unwrap_err().to_string().contains("with a provider of this catalog"));
    let key_by_mistake = json!({"providers": {"a": {"dialect": "openai", "base_url": "http://a", "auth": {"bearer": "sk-secret"}}}, "models": {}});
    assert!(!Catalog::read(&key_by_mistake, 1).unwrap_err().to_string().contains("sk-secret"));
}
