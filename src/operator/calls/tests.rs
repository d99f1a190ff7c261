//! What operators ask of calls and credits, and what they are shown.

use super::*;
use crate::key::KeyId;
use crate::limits::Load;
use crate::price::Bill;
use crate::rows::End;
use crate::units::{Millis, Tokens};

fn query(text: &str) -> Result<CallsAsk, String> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap());
    read_query(pairs).map_err(|invalid| invalid.to_string())
}

#[test]
fn a_query_says_which_calls_and_what_is_wrong_with_it() {
    let all = CallsAsk { truths: Vec::new(), limit: 100, before: None };
    assert_eq!(query(""), Ok(all.clone()));
    let odd = vec![Truth::Bounded, Truth::Estimated];
    let page = CallsAsk { truths: odd, limit: 7, before: Some(CallKey::new(1_763_985_590_000_123)) };
    assert_eq!(query("truth=bounded,estimated&limit=7&before=1763985590000123"), Ok(page));
    for (text, wrong) in [
        (
            "truth=odd",
            "truth: must be some of reported, counted, estimated, bounded, ceiling, credited, parted by commas; got \"odd\"",
        ),
        (
            "truth=",
            "truth: must be some of reported, counted, estimated, bounded, ceiling, credited, parted by commas; got \"\"",
        ),
        ("limit=0", "limit: must be a whole number from 1 to 1000; got \"0\""),
        ("before=c1", "before: must be a whole number from 0 to 9007199254740991; got \"c1\""),
        ("after=1", "after: is not a parameter here; known are truth, limit, before"),
    ] {
        assert_eq!(query(text), Err(wrong.to_owned()));
    }
}

#[test]
fn a_credit_is_read_whole_or_refused_by_the_field() {
    let read = |body: Value| CreditOrder::read(&body).map_err(|invalid| invalid.to_string());
    let order = CreditOrder { call: "c".into(), place: None, amount: None, reason: "r".into() };
    assert_eq!(read(json!({"call": "c", "reason": " r "})), Ok(order.clone()));
    let full = CreditOrder { place: Some(CallKey::new(12)), amount: NanoUsd::parse_usd("0.4"), ..order };
    assert_eq!(read(json!({"call": "c", "reason": "r", "place": "12", "amount": "0.40"})), Ok(full.clone()));
    assert_eq!(read(json!({"call": "c", "reason": "r", "place": 12, "amount": "0.4"})), Ok(full));
    for (field, value, wrong) in [
        ("call", json!(""), "call: must have 1 to 200 bytes; it has 0"),
        ("reason", json!("  "), "reason: must have 1 to 1000 characters; it has 0"),
        ("reason", json!("é".repeat(1_001)), "reason: must have 1 to 1000 characters; it has 1001"),
        ("amount", json!("0"), "amount: must be more than 0; leave it out for all that the call was billed"),
        ("amount", json!("-1"), "amount: must be US dollars"),
        ("place", json!("first"), "place: must be the \"place\" that the list of calls shows"),
        ("place", json!(-1), "place: must be the \"place\" that the list of calls shows"),
        ("note", json!("x"), "note: is not a field here"),
    ] {
        let mut body = json!({"call": "c", "reason": "r"});
        body[field] = value;
        let got = read(body).unwrap_err();
        assert!(got.starts_with(wrong), "{got}");
    }
    assert!(read(json!({"call": "c"})).unwrap_err().starts_with("reason: is missing"));
}

#[test]
fn a_call_is_shown_with_what_is_known_of_it() {
    let end = End {
        at: Millis::new(9),
        bill: Bill::of(Tokens::new(3), Tokens::new(4)),
        cost: NanoUsd::new(400_000_000),
        truth: Truth::Bounded,
        status: 200,
        target: "p/m".into(),
        ..End::default()
    };
    let mut row = CallRow {
        at: CallKey::new(1_763_985_590_000_123),
        call: "c".into(),
        key: KeyId::parse("k").unwrap(),
        model: "m".into(),
        endpoint: "chat".into(),
        bytes: 0,
        state: State::Settled,
        lease_ends: Millis::ZERO,
        held: Load { cost: NanoUsd::new(1_500_000), ..Load::default() },
        special: false,
        stop_at: None,
        catalog: 0,
        end: Some(end),
    };
    let shown = json!({
        "object": "call", "id": "c", "place": "1763985590000123", "at": "2025-11-24T11:59:50.000Z", "key": "k", "model": "m",
        "endpoint": "chat", "target": "p/m", "state": "settled", "status": 200, "truth": "bounded", "priced_by": null,
        "input_tokens": 3, "cached_input_tokens": 0, "output_tokens": 4, "held": "0.0015", "billed": "0.4"
    });
    assert_eq!(document(&row), shown);
    (row.state, row.end) = (State::Open, None);
    let open = document(&row);
    for name in ["target", "status", "truth", "priced_by", "input_tokens", "output_tokens", "billed"] {
        assert_eq!(open[name], Value::Null, "{name}");
    }
    // A part in which nothing was found tells where to go on all the same.
    let page = list(CallsSeen { calls: Vec::new(), further: Some(CallKey::new(7)) });
    assert_eq!(page, json!({"object": "list", "data": [], "first_id": null, "last_id": "7", "has_more": true}));
    let page = list(CallsSeen { calls: vec![shown.clone()], further: None });
    let place = shown["place"].clone();
    assert_eq!(
        page,
        json!({"object": "list", "data": [shown], "first_id": place, "last_id": place, "has_more": false})
    );
}

#[test]
fn what_is_not_given_is_refused_by_name() {
    let tenant = TenantId::parse("acme").unwrap();
    let order = CreditOrder { call: "c".into(), place: None, amount: None, reason: "r".into() };
    let billed = NanoUsd::new(400_000_000);
    for (credited, status, code, words) in [
        (Credited::Unknown, 404, "call_not_found", "no call \"c\""),
        (Credited::UnderWay, 409, "call_under_way", "has no bill yet"),
        (Credited::TooMuch { billed }, 400, "credit_too_large", "was billed 0.4 US dollars"),
        (Credited::TooMuch { billed: NanoUsd::ZERO }, 400, "credit_too_large", "was billed nothing"),
        (Credited::Before { billed }, 409, "credited_before", "costs 0.4 US dollars"),
    ] {
        let refusal = order.refusal(&tenant, &credited).unwrap();
        assert_eq!((refusal.status, refusal.code), (status, Some(code)));
        assert!(refusal.message.contains(words), "{}", refusal.message);
    }
    assert_eq!(order.refusal(&tenant, &Credited::Further(CallKey::default())), None);
}
