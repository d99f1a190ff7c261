//! Which pages may call from a browser, and what a browser is told so that they can.
//!
//! A page is known by its origin, which a browser says of its own accord and nothing else has to: an allowance keeps other
//! people's pages out, and proves nothing of who calls. No answer allows credentials, which keys in headers are not.
//!
//! Source: the Fetch standard, "CORS protocol".

use crate::fields::{Field, Invalid};

/// The most patterns of one list, and bytes of one origin.
const PATTERNS_MAX: usize = 64;
const ORIGIN_BYTES_MAX: usize = 256;
/// How long a browser may keep what a preflight was answered, in seconds: the most that Chromium does.
const MAX_AGE: u32 = 7_200;
/// The most header names of a preflight, and bytes of one, that are answered.
const ASKED_MAX: usize = 64;
const ASKED_BYTES_MAX: usize = 64;
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
/// The headers of answers that a page may read, besides those that any page may.
pub const EXPOSED: &str = "x-request-id, request-id, retry-after, retry-after-ms, x-should-retry, x-ratelimit-limit-requests, \
    x-ratelimit-remaining-requests, x-ratelimit-reset-requests, x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, \
    x-ratelimit-reset-tokens, anthropic-ratelimit-requests-limit, anthropic-ratelimit-requests-remaining, \
    anthropic-ratelimit-requests-reset, anthropic-ratelimit-tokens-limit, anthropic-ratelimit-tokens-remaining, \
    anthropic-ratelimit-tokens-reset, anthropic-ratelimit-input-tokens-limit, anthropic-ratelimit-input-tokens-remaining, \
    anthropic-ratelimit-input-tokens-reset, anthropic-ratelimit-output-tokens-limit, \
    anthropic-ratelimit-output-tokens-remaining, anthropic-ratelimit-output-tokens-reset, ratelimit, ratelimit-policy, x-tollgate-budget, x-tollgate-budget-limit, \
    x-tollgate-budget-used, x-tollgate-budget-held, x-tollgate-budget-remaining, x-tollgate-budget-reset, x-tollgate-target, \
    x-tollgate-output-cap, x-tollgate-dropped, x-tollgate-original-request-id, idempotent-replayed, www-authenticate, allow, \
    content-disposition, content-range, accept-ranges, content-length";

/// A pattern of origins: `https://app.example.com`, `https://*.example.com`, `http://localhost:*`, or `*` for any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPattern {
    text: String,
    form: Form,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    Any,
    Like { scheme: String, host: Host, port: Port },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Named(String),
    /// All names below this one.
    Below(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Port {
    Any,
    /// The scheme's own where there is none.
    Numbered(Option<u16>),
}

impl OriginPattern {
    /// The pattern that `text` spells, if it spells one.
    pub fn parse(text: &str) -> Option<Self> {
        let form = if text == "*" {
            Form::Any
        } else {
            let (scheme, host, port) = parts(text)?;
            let host = match host.strip_prefix("*.") {
                Some(parent) => Host::Below(parent.to_owned()).checked(parent)?,
                None => Host::Named(host.clone()).checked(&host)?,
            };
            let port = if port == Some("*") { Port::Any } else { Port::Numbered(port_of(&scheme, port)?) };
            Form::Like { scheme, host, port }
        };
        Some(Self { text: text.to_owned(), form })
    }

    /// The pattern's text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether `origin` is one of them.
    pub fn matches(&self, origin: &str) -> bool {
        let Form::Like { scheme, host, port } = &self.form else {
            return origin.len() <= ORIGIN_BYTES_MAX && origin.bytes().all(|byte| byte.is_ascii_graphic());
        };
        let Some((own_scheme, own_host, own_port)) = parts(origin) else { return false };
        let same_host = is_host(&own_host)
            && match host {
                Host::Named(name) => *name == own_host,
                Host::Below(parent) => own_host
                    .strip_suffix(parent.as_str())
                    .and_then(|below| below.strip_suffix('.'))
                    .is_some_and(|below| !below.is_empty()),
            };
        let own_port = port_of(&own_scheme, own_port);
        let same_port = own_port.is_some_and(|own| *port == Port::Any || *port == Port::Numbered(own));
        *scheme == own_scheme && same_host && same_port
    }
}

impl Host {
    /// This host, if `name` is one's name.
    fn checked(self, name: &str) -> Option<Self> {
        is_host(name).then_some(self)
    }
}

/// Scheme, host and port of an origin, in small letters.
fn parts(origin: &str) -> Option<(String, String, Option<&str>)> {
    if origin.len() > ORIGIN_BYTES_MAX {
        return None;
    }
    let (scheme, rest) = origin.split_once("://")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    if !scheme.starts_with(|first: char| first.is_ascii_alphabetic()) || !scheme.bytes().all(plain) {
        return None;
    }
    // The colons of an IPv6 address stand in brackets.
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (rest, None),
    };
    Some((scheme.to_ascii_lowercase(), host.to_ascii_lowercase(), port))
}

fn is_host(name: &str) -> bool {
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(address) = address {
        return !address.is_empty() && address.bytes().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(&byte));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    name.split('.').all(|label| !label.is_empty() && label.bytes().all(plain))
}

/// The port that is written, `None` for the scheme's own; `None` of that: it is no port.
fn port_of(scheme: &str, port: Option<&str>) -> Option<Option<u16>> {
    let Some(port) = port else { return Some(None) };
    let number = port.parse().ok().filter(|number: &u16| *number > 0 && number.to_string() == port)?;
    let usual = matches!((scheme, number), ("https", 443) | ("http", 80));
    Some((!usual).then_some(number))
}

/// Whether one of `patterns` is for `origin`.
pub fn allows(patterns: &[OriginPattern], origin: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(origin))
}

/// Reads the deployment's list: patterns with space or commas between them; those that are none, apart.
pub fn read_list(text: &str) -> (Vec<OriginPattern>, Vec<&str>) {
    let mut odd = Vec::new();
    let words = text.split(|letter: char| letter.is_whitespace() || letter == ',').filter(|word| !word.is_empty());
    let patterns = words.take(PATTERNS_MAX).filter_map(|word| {
        let pattern = OriginPattern::parse(word);
        if pattern.is_none() {
            odd.push(word);
        }
        pattern
    });
    (patterns.collect(), odd)
}

/// Reads a list of a policy's.
///
/// # Errors
/// The first that is wrong, and what would be right.
pub fn read_patterns(field: &Field<'_>) -> Result<Vec<OriginPattern>, Invalid> {
    let read = |field: &Field<'_>| {
        let text = field.text(ORIGIN_BYTES_MAX)?;
        OriginPattern::parse(text).ok_or_else(|| {
            field.invalid(format!(
                "must be an origin such as \"https://app.example.com\", without a path; its host may begin with \"*.\" and its \
                 port be \"*\"; \"*\" alone is any; got {text:?}"
            ))
        })
    };
    field.list(PATTERNS_MAX)?.iter().map(read).collect()
}

/// The headers by which `origin` may read an answer, as lines that alternate names and values.
pub fn readable(origin: &str) -> String {
    format!("access-control-allow-origin\n{origin}\nvary\nOrigin\naccess-control-expose-headers\n{EXPOSED}")
}

/// The headers of the answer to a preflight of `origin` that asks for these header names, as lines. What a page may send decides
/// nothing here, so it may send what it asks for.
pub fn preflight(origin: &str, asked: &str) -> String {
    let is_name = |name: &&str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        (1..=ASKED_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain)
    };
    let names: Vec<&str> = asked.split(',').map(str::trim).filter(is_name).take(ASKED_MAX).collect();
    let mut lines = format!(
        "access-control-allow-origin\n{origin}\naccess-control-allow-methods\n{METHODS}\naccess-control-max-age\n{MAX_AGE}\n\
         vary\nOrigin, Access-Control-Request-Method, Access-Control-Request-Headers"
    );
    if !names.is_empty() {
        lines.push_str(&format!("\naccess-control-allow-headers\n{}", names.join(", ")));
    }
    lines
}

#[cfg(test)]
#[path = "origin/tests.rs"]
mod tests;
