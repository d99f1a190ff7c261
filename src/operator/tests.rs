//! What admin bodies are taken, how they are refused, and what is shown.

use super::edit::{Edit, KeyEdit, TenantEdit};
use super::list::{Listing, Page};
use super::*;
use crate::key::{SigningSecret, issue};

const NOW: Millis = Millis::new(1_800_000_000_123);

fn key_record() -> KeyRecord {
    let (tenant, id) = (TenantId::parse("acme").unwrap(), KeyId::from_bytes([1; 16]));
    let (_, hash) = issue(&tenant, &id, [2; 32], &SigningSecret::new("a signing secret").unwrap());
    let (expires_at, revoked_at) = (Some(NOW.plus(Millis::from_secs(60))), None);
    KeyRecord { tenant, id, name: None, hash, policy: None, expires_at, revoked_at, created_at: NOW, updated_at: NOW }
}

#[test]
fn a_tenant_is_shown_with_every_default() {
    let record = TenantRecord::read(&json!({"id": "acme", "name": "Acme"}), NOW).unwrap();
    assert_eq!(
        record.document(),
        json!({
            "object": "tenant", "id": "acme", "name": "Acme", "enabled": true,
            "policy": {
                "limits": [], "models": ["*"], "on_shortfall": "fit", "on_disconnect": "abort", "fit_min": 256,
                "lease": "600s", "unknown_price": "reject", "unsettled": "estimate", "unbounded": "reserve",
                "passthrough": ["*/images/*", "*/audio/*", "*/moderations", "*/rerank"]
            },
            "created_at": "2027-01-15T08:00:00.123Z", "updated_at": "2027-01-15T08:00:00.123Z",
        })
    );
}

#[test]
fn the_same_tenant_is_told_from_another() {
    let read = |body: Value| TenantRecord::read(&body, NOW).unwrap();
    let first = read(json!({"id": "acme", "policy": {"models": ["*"]}}));
    let later = TenantRecord { created_at: Millis::ZERO, updated_at: Millis::ZERO, ..first.clone() };
    assert!(first.same(&later), "when it was made is no part of it");
    assert!(first.same(&TenantRecord { policy: json!({}), ..first.clone() }), "an older version stored fewer defaults");
    for other in [
        read(json!({"id": "acme", "policy": {"models": ["gpt-*"]}})),
        read(json!({"id": "acme", "name": "Acme"})),
        TenantRecord { enabled: false, ..first.clone() },
    ] {
        assert!(!first.same(&other), "{other:?}");
    }
}

#[test]
fn a_key_is_shown_without_its_secret() {
    let record = key_record();
    let shown = record.document(NOW);
    assert_eq!((&shown["object"], &shown["enabled"], &shown["policy"]), (&json!("key"), &json!(true), &Value::Null));
    assert_eq!(shown["expires_at"], "2027-01-15T08:01:00.123Z");
    assert_eq!(shown["redacted"], format!("tg_acme_{}_...", record.id.as_str()));
    assert!(!shown.to_string().contains(record.hash.as_str()));
    assert_eq!(record.document(NOW.plus(Millis::from_secs(60)))["enabled"], false, "expired");
    let revoked = KeyRecord { revoked_at: Some(NOW), ..record };
    assert_eq!(revoked.document(NOW)["enabled"], false);
    assert!(revoked.update().revoked);
}

#[test]
fn null_takes_away_and_absence_keeps() {
    let policy = json!({"limits": [{"what": "concurrency", "max": 1}]});
    let change = KeyEdit::read(&json!({"policy": policy, "expires_at": null}), NOW).unwrap();
    assert_eq!((&change.name, &change.expires_at), (&Edit::Keep, &Edit::Remove));
    let Edit::Set(policy) = change.policy else { panic!("the policy is set") };
    assert_eq!(policy["limits"][0]["per"], "key", "a key's limits are per key");
    let change = TenantEdit::read(&json!({"enabled": false, "name": null})).unwrap();
    assert_eq!(change, TenantEdit { name: Edit::Remove, policy: None, enabled: Some(false) });
    assert_eq!(change.detail(), json!({"enabled": false, "name": null}), "the audit keeps what was named");
    assert_eq!(Edit::Keep.apply(Some(1)), Some(1));
    assert_eq!(Edit::Remove.apply(Some(1)), None);
    assert_eq!(Edit::Set(2).apply(Some(1)), Some(2));
}

#[test]
fn an_expiry_is_an_instant_in_the_future() {
    let read = |text: &str| KeyEdit::read_new(&json!({"expires_at": text}), NOW).map(|change| change.expires_at);
    assert_eq!(read("2027-01-15T09:00:01+01:00"), Ok(Edit::Set(Millis::new(1_800_000_001_000))));
    for text in
        ["2027-01-15T08:00:00.123Z", "2026-01-15T08:00:00Z", "2027-01-16", "1800000001", "-0001-01-01T00:00:00Z"]
    {
        assert!(read(text).unwrap_err().problem.contains("must be an instant in the future"), "{text}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    type Read = fn(&Value) -> Option<Invalid>;
    let tenant: Read = |body| TenantRecord::read(body, NOW).err();
    let tenant_edit: Read = |body| TenantEdit::read(body).err();
    let key: Read = |body| KeyEdit::read_new(body, NOW).err();
    let key_edit: Read = |body| KeyEdit::read(body, NOW).err();
    let catalog: Read = |body| SentCatalog::read(body.clone()).err();
    let models: Vec<_> = (0..64).map(|_| "m".repeat(256)).collect();
    let limits: Vec<_> =
        (0..2).map(|at| json!({"name": format!("l{at}"), "what": "concurrency", "max": 1, "models": models})).collect();
    for (read, body, problem) in [
        (tenant, json!([]), ": must be an object; got []"),
        (tenant, json!({}), "id: is missing"),
        (tenant, json!({"id": 7}), "id: must be a text; got 7"),
        (tenant, json!({"id": "Acme"}), "id: must be 1 to 40 of a-z"),
        (tenant, json!({"id": "a", "name": ""}), "name: must have 1 to 200 bytes"),
        (
            tenant,
            json!({"id": "a", "policy": {"limits": [{"what": "requests", "window": "60s"}]}}),
            "policy.limits[0].max: is missing",
        ),
        (tenant, json!({"id": "a", "enabled": true}), "enabled: is not a field here; known are id, name, policy"),
        (tenant, json!({"id": "a", "policy": {"limits": limits}}), "policy: must have at most 32768 bytes"),
        (tenant_edit, json!({}), ": must name at least one of name, policy and enabled"),
        (tenant_edit, json!({"enabled": null}), "enabled: must be true or false; got null"),
        (tenant_edit, json!({"policy": null}), "policy: must be an object; {} takes every limit away; got null"),
        (tenant_edit, json!({"id": "b"}), "id: is not a field here"),
        (
            key,
            json!({"policy": {"limits": [{"what": "concurrency", "per": "tenant", "max": 1}]}}),
            "must be \"key\" in a key's policy",
        ),
        (key, json!({"key": "mine"}), "key: is not a field here"),
        (key_edit, json!({}), ": must name at least one of name, policy and expires_at"),
        (catalog, json!({"version": "two"}), "catalog.version: must be a whole number"),
    ] {
        let got = read(&body).map(|invalid| invalid.to_string()).unwrap_or_default();
        assert!(got.contains(problem), "{body}: {got}");
    }
}

#[test]
fn a_catalog_is_read_back_as_it_was_shown() {
    let document = json!({"providers": {}, "models": {}});
    let shown = catalog_document(3, document.clone());
    assert_eq!(shown, json!({"version": 3, "providers": {}, "models": {}}));
    assert_eq!(SentCatalog::read(shown), Ok(SentCatalog { document: document.clone(), edited_from: Some(3) }));
    assert_eq!(SentCatalog::read(document.clone()), Ok(SentCatalog { document, edited_from: None }));
}

#[test]
fn a_list_says_whether_it_goes_on() {
    let page = Page::read([("limit", "2"), ("after", "b")].into_iter()).unwrap();
    assert_eq!(page, Page { limit: 2, after: "b".to_owned() });
    assert_eq!(listed(page.clone(), 2, 1), (2, false, 1));
    assert_eq!(listed(page, 3, 1), (2, true, 1));
    for (name, value, problem) in [
        ("limit", "0", "limit: must be a whole number from 1 to 1000; got \"0\""),
        ("limit", "x", "limit: must be"),
        ("before", "a", "before: is not a parameter here; known are limit, after"),
    ] {
        let got = Page::read([(name, value)].into_iter()).unwrap_err().to_string();
        assert!(got.contains(problem), "{got}");
    }
    assert_eq!(read_version([("version", "4")].into_iter()), Ok(Some(4)));
    assert!(read_version([("version", "-1")].into_iter()).is_err());
}

/// Reads a page of `count` entries of so many `bytes` each: how many are shown, whether there are more, in how many parts.
fn listed(page: Page, count: usize, bytes: usize) -> (usize, bool, usize) {
    let ids: Vec<String> = (0..count).map(|number| format!("c{number:05}")).collect();
    let (mut listing, mut parts) = (Listing::new(page), 0);
    while let Some(part) = listing.part() {
        let rest = ids.iter().filter(|id| **id > part.after);
        let rows: Vec<&String> = rest.take(usize::try_from(part.limit).unwrap() + 1).collect();
        listing.add(&part, rows.into_iter().map(|id| (id.as_str(), json!("x".repeat(bytes)))));
        parts += 1;
    }
    let document = listing.document();
    (document["data"].as_array().unwrap().len(), document["has_more"] == json!(true), parts)
}

#[test]
fn a_page_is_read_in_parts_and_ends_where_it_has_many_bytes() {
    let page = || Page { limit: 1_000, after: String::new() };
    assert_eq!(listed(page(), 0, 1), (0, false, 1));
    assert_eq!(listed(page(), 100, 1), (100, false, 1));
    assert_eq!(listed(page(), 1_000, 1), (1_000, false, 10));
    assert_eq!(listed(page(), 1_001, 1), (1_000, true, 10));
    assert_eq!(listed(page(), 250, 32 * 1_024), (128, true, 2), "of 4 MiB");
}

#[test]
fn a_refusal_has_the_body_of_openai() {
    let refused = refuse::invalid(&TenantRecord::read(&json!({"id": "A"}), NOW).unwrap_err());
    let body: Value = serde_json::from_str(&refused.body(crate::dialect::Dialect::OpenAi, "")).unwrap();
    assert_eq!(
        (refused.status, &body["error"]["param"], &body["error"]["code"], &body["error"]["type"]),
        (400, &json!("id"), &json!("invalid_document"), &json!("invalid_request_error"))
    );
    let error = serde_json::from_slice::<Value>(b"{\"id\": }").unwrap_err();
    let refused = refuse::not_json(b"{\"id\": }", &error);
    assert_eq!(refused.message, "The body is not JSON: expected value at line 1 column 8.");
    let error = serde_json::from_slice::<Value>(b" ").unwrap_err();
    assert_eq!(refuse::not_json(b" ", &error).message, "The body is empty; send a JSON object.");
    let root = Invalid { path: String::new(), problem: "must be an object; got []".to_owned() };
    assert_eq!(refuse::invalid(&root).message, "The body must be an object; got [].");
}
