use super::*;

fn read(document: &Value, owner: Per) -> Result<Policy, String> {
    Policy::read(&Field::root("policy", document), owner).map_err(|invalid| invalid.to_string())
}

#[test]
fn a_policy_is_read_and_written_whole() {
    let document = json!({"limits": [
        {"name": "rpm", "what": "requests", "per": "key", "models": ["*"], "window": "60s", "max": 100},
        {"name": "monthly", "what": "cost", "per": "tenant", "window": "month", "max": "25.00"},
        {"what": "concurrency", "per": "key", "max": 8}
    ], "models": ["gpt-*"], "on_disconnect": "drain", "unknown_price": "track_only", "unsettled": "ceiling"});
    let policy = read(&document, Per::Tenant).unwrap();
    assert_eq!(policy.limits[1].max, Amount::new(25_000_000_000));
    assert_eq!(policy.limits[2].name, "concurrency-key");
    assert_eq!((policy.unknown_price, policy.unsettled), (UnknownPrice::TrackOnly, Unsettled::Ceiling));
    assert!(policy.allows("gpt-4o") && !policy.allows("claude"));
    assert_eq!(read(&policy.document(), Per::Tenant), Ok(policy));
}

#[test]
fn what_may_be_passed_on_is_the_tenants_to_say_where_a_key_says_nothing() {
    let patterns = |document: Value, owner| {
        let policy = read(&document, owner).unwrap();
        assert_eq!(read(&policy.document(), owner).as_ref(), Ok(&policy));
        policy.passthrough.map(|all| all.iter().map(|one| one.as_str().to_owned()).collect::<Vec<_>>())
    };
    let stateless = STATELESS.map(str::to_owned).to_vec();
    assert_eq!(patterns(json!({}), Per::Tenant), Some(stateless));
    assert_eq!(patterns(json!({}), Per::Key), None);
    for owner in [Per::Tenant, Per::Key] {
        assert_eq!(patterns(json!({"passthrough": []}), owner), Some(Vec::new()));
        assert_eq!(patterns(json!({"passthrough": ["a/files*"]}), owner), Some(vec!["a/files*".to_owned()]));
    }
}

#[test]
fn what_is_wrong_is_named() {
    let limit = |limit: Value| json!({"limits": [limit]});
    for (document, problem) in [
        (json!([]), "policy: must be an object"),
        (json!({"limit": []}), "policy.limit: is not a field here; known are limits, models"),
        (
            limit(json!({"what": "requests", "window": "60s", "max": -1})),
            "policy.limits[0].max: must be a whole number",
        ),
        (
            limit(json!({"what": "requests", "window": "60s", "max": 1.5})),
            "policy.limits[0].max: must be a whole number",
        ),
        (limit(json!({"what": "requests", "window": "60s", "max": 9_007_199_254_740_992_u64})), "got 9007199254740992"),
        (
            limit(json!({"what": "requests", "window": "90x", "max": 1})),
            "policy.limits[0].window: must be \"1s\" to \"1h\"",
        ),
        (limit(json!({"what": "requests", "max": 1})), "policy.limits[0]: has no \"window\""),
        (limit(json!({"what": "cost", "window": "day", "max": "-5"})), "policy.limits[0].max: must be US dollars"),
        (limit(json!({"what": "cost", "window": "day", "max": 0.5})), "policy.limits[0].max: must be US dollars"),
        (
            limit(json!({"what": "money", "window": "day", "max": 1})),
            "policy.limits[0].what: must be one of requests, tokens",
        ),
        (limit(json!({"what": "concurrency", "window": "day", "max": 1})), "policy.limits[0].window: does not go with"),
        (limit(json!({"name": "a b", "what": "concurrency", "max": 1})), "policy.limits[0].name: may hold"),
        (
            json!({"limits": [{"what": "concurrency", "max": 1}, {"what": "concurrency", "max": 2}]}),
            "policy.limits[1]: is the second",
        ),
        (json!({"on_disconnect": "stay"}), "policy.on_disconnect: must be one of abort, drain"),
        (json!({"unsettled": "free"}), "policy.unsettled: must be one of estimate, ceiling; got \"free\""),
        (json!({"lease": "2h"}), "policy.lease: must be a time from 1s to 1h"),
        (
            json!({"unknown_price": "free"}),
            "policy.unknown_price: must be one of reject, default, track_only; got \"free\"",
        ),
    ] {
        let got = read(&document, Per::Tenant).unwrap_err();
        assert!(got.contains(problem), "{document}: {got}");
    }
    let per_tenant = limit(json!({"what": "concurrency", "per": "tenant", "max": 1}));
    assert!(read(&per_tenant, Per::Key).unwrap_err().contains("must be \"key\" in a key's policy"));
}

#[test]
fn the_pages_that_may_call_are_read_and_written() {
    let document =
        json!({"allowed_origins": ["https://app.example.com", "https://*.example.org", "http://localhost:*"]});
    for owner in [Per::Tenant, Per::Key] {
        let policy = read(&document, owner).unwrap();
        assert_eq!(policy.document()["allowed_origins"], document["allowed_origins"]);
        assert_eq!(read(&policy.document(), owner), Ok(policy));
        assert_eq!(read(&json!({}), owner).unwrap().allowed_origins, None);
    }
    let wrong = read(&json!({"allowed_origins": ["https://app.example.com/"]}), Per::Key).unwrap_err();
    assert!(wrong.starts_with("policy.allowed_origins[0]: must be an origin"), "{wrong}");
}
