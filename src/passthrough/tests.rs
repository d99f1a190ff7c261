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
        ("/responses", None),
        ("/responses/resp_1/cancel", Some("responses/resp_1/cancel")),
        ("", None),
    ] {
        assert_eq!(alias(api), path, "{api}");
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
        assert_eq!(allows(&stateless, "openai", "https://a.example/v1", path), allowed, "{path}");
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
    ] {
        assert_eq!(
            allows(&[Pattern::new(pattern)], provider, "https://a.example/v1", path),
            allowed,
            "{pattern} {provider}/{path}"
        );
    }
}

/// Where a model opens the path, the rules are for what is called of it.
#[test]
fn a_path_that_a_model_opens_is_matched_as_the_provider_sees_it() {
    let azure = "https://z.example/openai/deployments/{model}";
    for (pattern, path, allowed) in [
        ("*/images/*", "images/chat/completions", false),
        ("*/audio/*", "audio/chat/completions", false),
        ("*/audio/*", "v1/audio/chat/completions", false),
        ("*/audio/*", "audio/files", false),
        ("*/moderations", "moderations", false),
        ("*/images/*", "v1/images/generations", false),
        ("*/images/*", "mine/images/generations", true),
        ("*/images/*", "v1/mine/images/generations", true),
        ("*/images/*", "mine/v1/images/generations", true),
        ("*/images/*", "images/images/generations", true),
        ("azure/mine/*", "mine/images/generations", false),
        ("azure/deployments/mine/images/*", "mine/images/generations", true),
        ("azure/deployments/mine/*", "yours/images/generations", false),
        ("azure", "mine/anything", true),
    ] {
        assert_eq!(allows(&[Pattern::new(pattern)], "azure", azure, path), allowed, "{pattern} {path}");
    }
    let names = |base: &str, path: &str| names("p", base, path).collect::<Vec<_>>();
    assert_eq!(names(azure, "mine/images/edits"), ["p/images/edits", "p/deployments/mine/images/edits"]);
    assert_eq!(names("https://z.example/{model}", "mine/v1/x"), ["p/v1/x", "p/x"]);
    assert_eq!(names("https://z.example/v1", "v1/x"), ["p/v1/x", "p/x"]);
}
