use super::*;

#[test]
fn a_path_is_sane_or_it_goes_nowhere() {
    for (path, sane) in [
        ("images/generations", true),
        ("v1/files/file-abc_1/content", true),
        ("v1beta/models/gemini-2.5-flash:generateContent", true),
        ("models/a%20b/x@1,2+3=4~", true),
        ("models/%C3%A9", true),
        ("", false),
        ("/files", false),
        ("files/", false),
        ("a//b", false),
        ("..", false),
        ("a/../b", false),
        ("a/./b", false),
        ("a/%2e%2e/b", false),
        ("a%2Fb", false),
        ("a%5cb", false),
        ("a%252fb", false),
        ("a%00b", false),
        ("a%3fb", false),
        ("a%", false),
        ("a%2", false),
        ("a%zz", false),
        ("a b", false),
        ("a;b", false),
        ("a\\b", false),
        ("a?b", false),
        ("a\u{e9}", false),
    ] {
        assert_eq!(is_sane(path), sane, "{path}");
    }
    assert!(is_sane(&"a".repeat(PATH_BYTES_MAX)) && !is_sane(&"a".repeat(PATH_BYTES_MAX + 1)));
}

#[test]
fn openais_names_are_aliases() {
    for (api, path) in [
        ("/images/generations", Some("images/generations")),
        ("/audio/speech", Some("audio/speech")),
        ("/moderations", Some("moderations")),
        ("/moderations/x", None),
        ("/rerank", Some("rerank")),
        ("/batches", Some("batches")),
        ("/files/f/content", Some("files/f/content")),
        ("/filesystem", None),
        ("/vector_stores", None),
        ("", None),
    ] {
        assert_eq!(alias(api), path, "{api}");
    }
}

#[test]
fn a_key_of_ours_goes_no_further_than_here() {
    for (given, passed) in [
        ("", ""),
        ("alt=sse&key=tg_acme_1_2", "alt=sse"),
        ("key=tg%5Facme_1&alt=sse", "alt=sse"),
        ("k%65y=tg_acme", ""),
        ("key=theirs&x=%2F", "key=theirs&x=%2F"),
        ("akey=tg_1&&limit=2", "akey=tg_1&limit=2"),
    ] {
        assert_eq!(query(given), passed, "{given}");
    }
}

#[test]
fn the_default_is_what_leaves_nothing_behind() {
    let stateless: Vec<Pattern> = STATELESS.into_iter().map(Pattern::new).collect();
    for (path, allowed) in [
        ("images/generations", true),
        ("v1/images/edits", true),
        ("v1beta2/audio/speech", true),
        ("moderations", true),
        ("v1/rerank", true),
        ("images", false),
        ("rerank/x", false),
        ("files", false),
        ("files/images/content", false),
        ("v1/v1/images/x", false),
        ("batches/audio/x", false),
        ("chat/completions", false),
        ("organization/moderations", false),
    ] {
        assert_eq!(allows(&stateless, "openai", path), allowed, "{path}");
    }
}

#[test]
fn a_pattern_is_for_a_provider_and_a_path() {
    for (pattern, provider, path, allowed) in [
        ("openai/files*", "openai", "v1/files/f-1", true),
        ("openai/files*", "groq", "files/f-1", false),
        ("openai/*", "openai", "anything/at/all", true),
        ("openai", "openai", "anything/at/all", true),
        ("*", "openai", "anything", true),
        ("cohere/v2/rerank", "cohere", "v2/rerank", true),
        ("cohere/v2/rerank", "cohere", "rerank", false),
        ("azure/*/images/*", "azure", "mine/images/generations", true),
    ] {
        assert_eq!(allows(&[Pattern::new(pattern)], provider, path), allowed, "{pattern} {provider}/{path}");
    }
}

#[test]
fn a_path_stands_behind_the_address_and_repeats_no_version() {
    for (base, path, address_) in [
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
    ] {
        assert_eq!(address(base, path), address_);
    }
}
