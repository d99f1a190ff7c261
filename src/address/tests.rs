use super::*;
use proptest::prelude::*;

#[test]
fn a_path_stands_behind_the_address_and_repeats_no_version() {
    for (base, path, address) in [
        ("https://api.openai.com/v1", "images/generations", "https://api.openai.com/v1/images/generations"),
        ("https://api.openai.com/v1", "v1/images/generations", "https://api.openai.com/v1/images/generations"),
        ("https://g.example/v1beta", "v1beta/models/m:embed", "https://g.example/v1beta/models/m:embed"),
        ("https://g.example/v1beta", "v1/models", "https://g.example/v1beta/v1/models"),
        ("https://a.example", "v1/messages", "https://a.example/v1/messages"),
        ("https://a.example/vault", "vault/x", "https://a.example/vault/vault/x"),
        (
            "https://z.example/deployments/{model}",
            "mine/images/edits",
            "https://z.example/deployments/mine/images/edits",
        ),
        (
            "https://z.example/deployments/{model}",
            "v1/mine/images/edits",
            "https://z.example/deployments/mine/images/edits",
        ),
        ("https://z.example/deployments/{model}", "mine", "https://z.example/deployments/mine"),
    ] {
        assert_eq!(of_native(base, path, "", "").as_deref(), Some(address));
    }
}

#[test]
fn a_model_is_one_part_of_a_path_whatever_its_name() {
    let base = "https://z.example/deployments/{model}";
    for (model, part) in [
        ("gpt-4o", "gpt-4o"),
        ("a/b", "a%2Fb"),
        ("a?b=c", "a%3Fb%3Dc"),
        ("a#b", "a%23b"),
        ("../x", "..%2Fx"),
        ("a%2fb", "a%252fb"),
        ("a\\b", "a%5Cb"),
        ("a@b:1", "a@b%3A1"),
        ("é", "%C3%A9"),
    ] {
        let address = of_call(base, model, "/chat/completions", "api-version=1");
        let expected = format!("https://z.example/deployments/{part}/chat/completions?api-version=1");
        assert_eq!(address, Some(expected), "{model}");
    }
    for model in ["..", "."] {
        assert_eq!(of_call(base, model, "/chat/completions", ""), None);
        assert_eq!(of_call("https://z.example", model, &format!("/model/{model}/converse"), ""), None);
    }
}

#[test]
fn nothing_is_sent_where_the_model_would_choose_the_host() {
    for base in [
        "http://{model}/v1",
        "http://{model}:9/v1",
        "http://a.{model}.example/v1",
        "http://{model}@a.example/v1",
        "http://a.example:{model}/v1",
        "http://%7Bmodel%7D/v1",
        "{model}://a.example/v1",
        "{model}",
        "",
    ] {
        assert_eq!(of_call(base, "127.0.0.1", "/chat/completions", ""), None, "{base}");
        assert_eq!(of_native(base, "127.0.0.1/images/x", "", ""), None, "{base}");
    }
}

#[test]
fn what_is_wrong_with_an_address_is_said() {
    let wrong = |text: &str, words: &str| {
        let problem = problem(text).unwrap_or_else(|| panic!("{text} is taken"));
        assert!(problem.contains(words), "{text}: {problem}");
    };
    for text in [
        "http://{model}:9/v1",
        "http://{model}/v1",
        "http://a.{model}.example/v1",
        "http://{model}@a/v1",
        "http://a:{model}/v1",
        "http://%7Bmodel%7D:9/v1",
        "http://%257Bmodel%257D/v1",
        "http://\u{ff5b}model\u{ff5d}/v1",
        "http://{Model}/v1",
    ] {
        wrong(text, "its path alone");
    }
    for text in [
        "http://a/../b",
        "http://a/x/%2e%2e/b",
        "http://a/x/%252E./b",
        "http://a\\b/c",
        "http://a/b\\..\\c",
        "http://a/b c",
        " http://a",
        "http://a/%0ab",
    ] {
        wrong(text, "written out");
    }
    for text in ["http://a/{model}/{model}", "http://a/{deployment}/x", "http://a/%7Bx%7D"] {
        wrong(text, "once, and no other braces");
    }
    wrong("http://a:0/v1", "port from 1");
    wrong("http:a/v1", "begin with http");
    for text in [
        "https://api.openai.com/v1",
        "http://127.0.0.1:9000/v1",
        "http://[::1]:9000",
        "https://x.openai.azure.com/openai/deployments/{model}",
        "https://x.example/models/%7Bmodel%7D/v1",
        "https://x.example/{model}:predict",
        "https://x.example/a..b/...",
    ] {
        assert_eq!(problem(text), None, "{text}");
    }
}

#[test]
fn what_the_catalog_says_of_the_query_stands() {
    let base = "https://a.example/v1";
    for (own, address) in [
        ("", "?api-version=2024&tier=a"),
        ("api-version=1999", "?api-version=2024&tier=a"),
        ("API-Version=1999&x=1", "?x=1&api-version=2024&tier=a"),
        ("api%2dversion=1999", "?api-version=2024&tier=a"),
        ("api%252Dversion=1999", "?api-version=2024&tier=a"),
        ("x=1&api-version=1&api-version=2&tier[]=b", "?x=1&api-version=2024&tier=a"),
        ("x=1;api-version=1999", "?api-version=2024&tier=a"),
        ("+api-version%00=1&api-version", "?api-version=2024&tier=a"),
        ("my-api-version=1&tiers=2", "?my-api-version=1&tiers=2&api-version=2024&tier=a"),
    ] {
        let address = format!("https://a.example/v1/images/x{address}");
        assert_eq!(of_native(base, "images/x", own, "api-version=2024&tier=a"), Some(address), "{own}");
    }
    assert_eq!(
        of_call(base, "m", "/models/m:streamGenerateContent?alt=sse", "x=1").as_deref(),
        Some("https://a.example/v1/models/m:streamGenerateContent?alt=sse&x=1")
    );
    assert_eq!(of_call(base, "m", "/x?alt=sse", "ALT=json").as_deref(), Some("https://a.example/v1/x?ALT=json"));
}

#[test]
fn credentials_in_a_query_go_no_further_than_here() {
    let key = format!("tg_acme_1_{}", "a".repeat(66));
    for (given, passed) in [
        ("", ""),
        ("alt=sse&key=tg_acme_1_2", "alt=sse"),
        ("key=tg%5Facme_1&alt=sse", "alt=sse"),
        ("k%65y=tg_acme&K%2565y=x&key", ""),
        ("key=a&key=b&KEY=c&key[]=d", ""),
        ("key=theirs&x=%2F", "x=%2F"),
        ("access_token=t&api-key=k&api_key=k&subscription-key=s&x=1", "x=1"),
        ("akey=tg_1&&limit=2&keys=a", "akey=tg_1&limit=2&keys=a"),
        (&format!("q={key}&x=1"), "x=1"),
        (&format!("q=a%20{}&x=1", key.replace('_', "%5f")), "x=1"),
        (&key.to_string(), ""),
        (&format!("q=Bearer%2520{}", key.replace('t', "%2574")), ""),
    ] {
        assert_eq!(passed_on(given), passed, "{given}");
    }
    let read: Vec<String> = values("k%65y=a%20b&x=1&key=c&key", "key").collect();
    assert_eq!(read, ["a b", "c", ""]);
}

proptest! {
    /// Whatever a client names as the model or as the path, it reaches the provider's host and what is under its address.
    #[test]
    fn no_client_leaves_the_address(model in "\\PC{1,20}", path in "[a-z./%2e5c@:?#\\\\-]{1,20}", own in "\\PC{0,20}") {
        let base = "https://a.example/deployments/{model}";
        let under = |address: &str| {
            let url = url::Url::parse(address).unwrap();
            (url.host_str(), url.path().starts_with("/deployments/")) == (Some("a.example"), true)
        };
        if let Some(address) = of_call(base, &model, "/chat/completions", "v=1") {
            prop_assert!(under(&address), "{}", address);
            prop_assert!(address.ends_with("/chat/completions?v=1"), "{}", address);
        }
        if crate::passthrough::is_sane(&path) {
            let address = of_native(base, &path, "", "v=1").unwrap();
            prop_assert!(under(&address), "{}", address);
        }
        let query = with_query(String::new(), &own, "v=1");
        let named = values(query.trim_start_matches('?'), "v").collect::<Vec<_>>();
        prop_assert_eq!(named, ["1"], "{}", own);
    }
}
