use super::*;
use proptest::prelude::*;
use serde_json::json;

#[test]
fn a_pattern_is_for_the_origins_that_it_spells() {
    for (pattern, origin, matches) in [
        ("*", "https://anything.example:9", true),
        ("*", "null", true),
        ("*", "https://a\r\nx: y", false),
        ("https://app.example.com", "https://app.example.com", true),
        ("https://app.example.com", "HTTPS://APP.example.com", true),
        ("https://app.example.com", "http://app.example.com", false),
        ("https://app.example.com", "https://app.example.com.evil.example", false),
        ("https://app.example.com", "https://xapp.example.com", false),
        ("https://app.example.com", "https://app.example.com:444", false),
        ("https://app.example.com", "https://app.example.com:443", true),
        ("https://app.example.com:443", "https://app.example.com", true),
        ("https://app.example.com:8443", "https://app.example.com:8443", true),
        ("https://app.example.com:8443", "https://app.example.com", false),
        ("https://*.example.com", "https://a.example.com", true),
        ("https://*.example.com", "https://a.b.example.com", true),
        ("https://*.example.com", "https://example.com", false),
        ("https://*.example.com", "https://.example.com", false),
        ("https://*.example.com", "https://evilexample.com", false),
        ("https://*.example.com", "https://evil.example/.example.com", false),
        ("https://*.example.com", "https://evil.example#.example.com", false),
        ("https://*.example.com", "https://evil.example?.example.com", false),
        ("https://*.example.com", "https://evil.example:1.example.com", false),
        ("https://*.example.com", "https://evil.example@a.example.com", false),
        ("https://*.example.com", "https://evil.example\\.example.com", false),
        ("https://*.example.com", "https://a.example.com:8080", false),
        ("https://*.example.com", "https://a.example.com/", false),
        ("https://*.example.com", "null", false),
        ("http://localhost:*", "http://localhost", true),
        ("http://localhost:*", "http://localhost:5173", true),
        ("http://localhost:*", "http://localhost:0", false),
        ("https://app.example.com", "https://app.example.com:0443", false),
        ("http://localhost:*", "http://localhost:5173@evil.example", false),
        ("http://localhost:*", "http://localhost:", false),
        ("http://localhost:*", "http://localhost.evil.example:80", false),
        ("http://[::1]:*", "http://[::1]:3000", true),
        ("http://[::1]", "http://[::1]", true),
        ("chrome-extension://abcdef", "chrome-extension://abcdef", true),
        ("capacitor://localhost", "capacitor://localhost", true),
    ] {
        let parsed = OriginPattern::parse(pattern).unwrap();
        assert_eq!(parsed.matches(origin), matches, "{pattern} {origin}");
        assert_eq!(parsed.as_str(), pattern);
    }
}

#[test]
fn what_is_no_pattern_is_named() {
    for text in [
        "app.example.com",
        "https://",
        "https://*",
        "https://app.*",
        "https://*example.com",
        "https://a.*.example.com",
        "https://app.example.com/",
        "https://app.example.com/path",
        "https://app.example.com:0",
        "https://app.example.com:99999",
        "https://app.example.com:+443",
        "https://user@app.example.com",
        "*://app.example.com",
        "https://a b.example",
        "https://é.example",
        "null",
        "",
    ] {
        assert!(OriginPattern::parse(text).is_none(), "{text}");
    }
    let (patterns, odd) = read_list(" https://a.example,http://localhost:*\n app.example  * ");
    assert_eq!((patterns.len(), odd), (3, vec!["app.example"]));
    let document = json!(["https://a.example", "https://a.example/"]);
    let invalid = read_patterns(&Field::root("policy.allowed_origins", &document)).unwrap_err().to_string();
    assert!(invalid.starts_with("policy.allowed_origins[1]: must be an origin such as"), "{invalid}");
}

#[test]
fn a_preflight_is_granted_what_it_asks_for_and_nothing_that_is_no_name() {
    let asked =
        "authorization, content-type,X-Stainless-OS ,, x-ok\u{e9}, a b, anthropic-dangerous-direct-browser-access";
    let lines = preflight("https://a.example", asked);
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines.first_chunk::<2>(), Some(&["access-control-allow-origin", "https://a.example"]));
    let granted = "authorization, content-type, X-Stainless-OS, anthropic-dangerous-direct-browser-access";
    assert_eq!(lines.last_chunk::<2>(), Some(&["access-control-allow-headers", granted]));
    assert!(!preflight("https://a.example", "").contains("allow-headers"));
    assert!(!preflight("*", "x").contains("credentials"));
}

proptest! {
    /// Whatever a page calls itself, only what is below a name passes for that, and nothing ends the line of a header.
    #[test]
    fn nobody_passes_for_another(origin in "(https?://)?[a-z.:/@#?*\\\\ \\n0-9]{0,30}(\\.example\\.com)?(:[0-9]{1,5})?") {
        let below = OriginPattern::parse("https://*.example.com").unwrap();
        if below.matches(&origin) {
            let url = url::Url::parse(&origin).unwrap();
            prop_assert!(url.host_str().unwrap().ends_with(".example.com"), "{}", origin);
            prop_assert_eq!(url.origin().ascii_serialization(), origin.trim_end_matches(":443"));
        }
        if OriginPattern::parse("*").unwrap().matches(&origin) {
            prop_assert!(!origin.contains(['\n', ' ']));
        }
    }
}
