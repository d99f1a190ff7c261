use super::*;

/// Each row: the header, and the name that it gives.
#[test]
fn a_name_is_read_bare_or_quoted() {
    let longest = "x".repeat(255);
    for (header, name) in [
        ("8e03978e-40d5-43dd-bc93-6894a57f9324", Some("8e03978e-40d5-43dd-bc93-6894a57f9324")),
        ("\"8e03978e\"", Some("8e03978e")),
        ("  abc\t", Some("abc")),
        ("a\"b", Some("a\"b")),
        (r#""a\"b\\c""#, Some(r#"a"b\c"#)),
        ("!~", Some("!~")),
        (longest.as_str(), Some(longest.as_str())),
        ("", None),
        ("\"\"", None),
        ("\"", None),
        ("\"abc", None),
        ("\"a\"b\"", None),
        (r#""a\b""#, None),
        (r#""a\""#, None),
        ("\"abc\";p=1", None),
        ("a b", None),
        ("one, two", None),
        ("né", None),
        ("a\u{7f}", None),
        (&"x".repeat(256), None),
    ] {
        assert_eq!(read_name(header).as_deref(), name, "{header}");
    }
}

#[test]
fn a_request_is_told_from_another_by_its_body_and_its_endpoint() {
    let hash = |endpoint: &str, body: &[u8]| Idempotency::of("n", endpoint, body).body_hash;
    assert_eq!(hash("chat", b"{}"), hash("chat", b"{}"));
    let others = [hash("chat", b"{ }"), hash("embeddings", b"{}"), hash("chat{", b"}"), hash("cha", b"t{}")];
    assert!(others.iter().all(|other| *other != hash("chat", b"{}")));
    assert_eq!(others[0].len(), 64);
}

#[test]
fn of_a_head_only_what_is_true_of_the_answer_is_repeated() {
    let head = "200\ncontent-type\ntext/plain\nx-request-id\n1\nx-ratelimit-limit-requests\n9\nx-tollgate-target\na/b";
    assert_eq!(repeated(head), "200\ncontent-type\ntext/plain\nx-tollgate-target\na/b");
    assert_eq!(repeated("503"), "503");
}
