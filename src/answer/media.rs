//! What of a provider's content type a client is told, and whether its bytes came as they are written.
//!
//! A browser runs what is called a page or a script, with all that a page of the gateway's own address may do. So only kinds that are
//! known to do nothing pass; anything else is bytes to be saved.

/// The line of a head whose body is to be saved.
pub const SAVED: &str = "\ncontent-disposition\nattachment";
/// What nothing is known of.
const BYTES: &str = "application/octet-stream";
/// Kinds that do nothing in a browser, whole or by their beginning.
const FAMILIES: [&str; 3] = ["audio/", "video/", "image/"];
const KINDS: [&str; 24] = [
    "application/json",
    "application/jsonl",
    "application/x-jsonlines",
    "application/jsonlines",
    "application/x-ndjson",
    "application/ndjson",
    "application/json-seq",
    "text/event-stream",
    "text/plain",
    "text/csv",
    "text/markdown",
    "text/vtt",
    "text/srt",
    "application/x-subrip",
    "application/pdf",
    "application/octet-stream",
    "application/zip",
    "application/gzip",
    "application/x-tar",
    "application/x-protobuf",
    "application/msgpack",
    "application/vnd.amazon.eventstream",
    "multipart/form-data",
    "multipart/mixed",
];
const TYPE_BYTES_MAX: usize = 256;

/// A content type as a client is told it, nothing where there is none, and whether its bytes are to be saved and never shown.
pub fn told(content_type: &str) -> (&str, bool) {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let lower = kind.to_ascii_lowercase();
    let is_like = |beginning: &str| lower.strip_prefix(beginning).is_some_and(is_token);
    let draws = lower.contains("svg") || lower.contains("xml");
    let family = FAMILIES.iter().any(|family| is_like(family)) && !draws;
    let structured = is_like("application/") && lower.ends_with("+json");
    if kind.is_empty() {
        return ("", false);
    }
    if !family && !structured && !KINDS.contains(&lower.as_str()) {
        return (BYTES, true);
    }
    let printable = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    let whole = content_type.len() <= TYPE_BYTES_MAX && content_type.bytes().all(printable);
    (if whole { content_type } else { kind }, false)
}

fn is_token(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte);
    (1..=TYPE_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain)
}

/// Whether a body of this `content-encoding` has come as its sender had it before it was packed: the platform unpacks these, by
/// exactly these names.
pub fn is_unpacked(content_encoding: &str) -> bool {
    matches!(content_encoding, "" | "gzip" | "br") || content_encoding.eq_ignore_ascii_case("identity")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_would_run_is_bytes_to_be_saved() {
        for same in [
            "application/json",
            "application/json; charset=utf-8",
            "Application/JSON",
            "application/vnd.api+json",
            "text/event-stream; charset=utf-8",
            "text/plain;charset=utf-8",
            "audio/mpeg",
            "audio/mp4; codecs=\"mp4a.40.2\"",
            "image/png",
            "video/mp4",
            "application/octet-stream",
            "application/x-ndjson",
            "multipart/mixed; boundary=a",
        ] {
            assert_eq!(told(same), (same, false));
        }
        for saved in [
            "text/html",
            "TEXT/HTML; charset=utf-8",
            "text/html;application/json",
            "application/xhtml+xml",
            "image/svg+xml",
            "image/SVG",
            "image/x-xml",
            "text/xml",
            "application/xml",
            "application/rss+xml",
            "application/javascript",
            "text/javascript",
            "application/ecmascript",
            "text/css",
            "text/cache-manifest",
            "application/x-shockwave-flash",
            "application/wasm",
            "application/manifest+xml",
            "multipart/x-mixed-replace; boundary=a",
            "message/rfc822",
            "text/x-component",
            "application/pdf+xml",
            "application/json\tx",
            "application/json, text/html",
            "image/",
            "image/png text/html",
            "json",
        ] {
            assert_eq!(told(saved), (BYTES, true), "{saved}");
        }
        assert_eq!(told(""), ("", false));
        assert_eq!(told("application/json; charset=\u{e9}"), ("application/json", false));
        assert_eq!(told(&format!("image/png; a={}", "b".repeat(5_000))), ("image/png", false));
        assert_eq!(told(&"a".repeat(5_000)), (BYTES, true));
    }

    #[test]
    fn only_what_the_platform_unpacks_counts_as_unpacked() {
        for (encoding, unpacked) in [
            ("", true),
            ("identity", true),
            ("Identity", true),
            ("gzip", true),
            ("br", true),
            ("GZIP", false),
            ("x-gzip", false),
            ("deflate", false),
            ("zstd", false),
            ("gzip, gzip", false),
            ("compress", false),
        ] {
            assert_eq!(is_unpacked(encoding), unpacked, "{encoding}");
        }
    }
}
