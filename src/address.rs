//! Where a request to a provider goes: its address with the model, the path and the query put to it.
//!
//! [`MODEL_PLACE`] in an address stands for the model, in its path alone: what a client may choose never names the host that is
//! sent the provider's secret, and never adds a part to the path. What the catalog says of the query stands.

use url::form_urlencoded;

/// What stands in an address for the model's name.
pub const MODEL_PLACE: &str = "{model}";
/// How often escapes are resolved before a text is looked at: a server behind the provider may resolve them again.
const ESCAPES_DEEP: usize = 4;
/// The names by which queries carry credentials. A provider is shown the operator's alone.
const CREDENTIALS: [&str; 6] = ["key", "access_token", "api_key", "api-key", "apikey", "subscription-key"];

/// What is wrong with `text` as the address of a provider, in the words of an error at its field; `None`: nothing.
pub fn problem(text: &str) -> Option<&'static str> {
    let Some((_, rest)) = text.split_once("://") else {
        return Some("must begin with http:// or https://");
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (authority, path) = (resolved(authority), resolved(path));
    let is_odd = |byte: u8| byte == b'\\' || byte.is_ascii_control() || byte == b' ';
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    if authority.contains(['{', '}', '\u{ff5b}', '\u{ff5d}']) {
        return Some(
            "may have {model} in its path alone, not in its host or port: it would choose who is sent the secret",
        );
    }
    if [text, &authority, &path].iter().any(|part| part.bytes().any(is_odd)) || path.split('/').any(is_dots) {
        return Some(
            "must be written out: no \"..\" or \".\" as a part of it, no backslash, space or control character",
        );
    }
    if port.is_some_and(|port| port.bytes().all(|byte| byte == b'0')) {
        return Some("must have a port from 1 to 65535, or none");
    }
    if path.replacen(MODEL_PLACE, "", 1).contains(['{', '}']) {
        return Some("may have {model} in its path once, and no other braces");
    }
    None
}

/// Whether the host of `base_url` stands fast. Catalogs of older releases were not asked.
fn has_fast_host(base_url: &str) -> bool {
    let rest = ["https://", "http://"].into_iter().find_map(|scheme| base_url.strip_prefix(scheme));
    let host = rest.map(|rest| rest.split('/').next().unwrap_or_default());
    host.is_some_and(|host| !host.is_empty() && !host.contains(['{', '}', '%', '@', '\\']))
}

/// Whether a part of a path means another than itself.
fn is_dots(part: &str) -> bool {
    matches!(part, "." | "..")
}

/// Where a call of `model` goes: to `path` of the provider at `base_url`, which may bring a query of its own, with the catalog's
/// `query`; `None`: nowhere, since the address is none that anything may be sent to.
pub fn of_call(base_url: &str, model: &str, path: &str, query: &str) -> Option<String> {
    let (path, own) = path.split_once('?').unwrap_or((path, ""));
    let has_place = base_url.contains(MODEL_PLACE);
    if !has_fast_host(base_url) || path.split('/').any(is_dots) || (has_place && is_dots(model)) {
        return None;
    }
    let base = if has_place { base_url.replace(MODEL_PLACE, &encoded(model)) } else { base_url.to_owned() };
    Some(with_query(base + path, own, query))
}

/// Where a native call to `path` of the provider at `base_url` goes, with the client's query `own` and the catalog's `query`;
/// `None`: nowhere.
///
/// A version with which the address ends is not repeated, and where the address has a place for a model, the first part of the
/// path stands there.
pub fn of_native(base_url: &str, path: &str, own: &str, query: &str) -> Option<String> {
    if !has_fast_host(base_url) {
        return None;
    }
    let (model, path) = opened(base_url, path);
    let base = base_url.replace(MODEL_PLACE, model.unwrap_or_default());
    let version = base.rsplit('/').next().filter(|last| is_version(last));
    let again = version.and_then(|version| path.strip_prefix(version)?.strip_prefix('/'));
    let address = format!("{base}/{}", again.unwrap_or(path));
    Some(with_query(address.trim_end_matches('/').to_owned(), own, query))
}

/// The model that opens `path` of a native call, where `base_url` has a place for one, and the rest of the path. A version in
/// front of it is left out: it is the client's, and no model's name.
pub fn opened<'a>(base_url: &str, path: &'a str) -> (Option<&'a str>, &'a str) {
    if !base_url.contains(MODEL_PLACE) {
        return (None, path);
    }
    let path = path.split_once('/').filter(|(first, _)| is_version(first)).map_or(path, |(_, rest)| rest);
    let (model, rest) = path.split_once('/').unwrap_or((path, ""));
    (Some(model), rest)
}

/// The part of `base_url` before the place for a model: `deployments` of `…/deployments/{model}`.
pub fn before_model(base_url: &str) -> Option<&str> {
    let path = base_url.split_once("://")?.1.split_once('/')?.1;
    let before = path.split_once(MODEL_PLACE)?.0.trim_end_matches('/').rsplit('/').next()?;
    (!before.is_empty()).then_some(before)
}

/// Whether a part of a path is a version: `v1`, `v1beta`.
pub fn is_version(part: &str) -> bool {
    let rest = part.strip_prefix('v').unwrap_or_default();
    rest.starts_with(|first: char| first.is_ascii_digit()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A part of a path, with all escaped that could end it or lead elsewhere.
pub fn encoded(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// `text` with its escapes resolved, those that come to light too.
pub fn resolved(text: &str) -> String {
    let mut text = text.to_owned();
    for _ in 0..ESCAPES_DEEP {
        if !text.contains('%') {
            break;
        }
        text = resolved_once(&text);
    }
    text
}

fn resolved_once(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|two| byte == b'%' && two.iter().all(u8::is_ascii_hexdigit));
        let escaped = digits.and_then(|two| u8::from_str_radix(str::from_utf8(two).ok()?, 16).ok());
        bytes.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The parameters of a client's query that may go on to a provider: none that carries credentials, by name or by what it holds.
pub fn passed_on(query: &str) -> String {
    let goes_on = |part: &&str| {
        let is_credential = pieces(part).any(|name| CREDENTIALS.contains(&name.as_str()));
        !part.is_empty() && !is_credential && !crate::key::is_in(&resolved(part))
    };
    query.split('&').filter(goes_on).collect::<Vec<_>>().join("&")
}

/// The values of the parameter `name` of a query, however that is escaped.
pub fn values<'a>(query: &'a str, name: &'a str) -> impl Iterator<Item = String> + 'a {
    let parameters = form_urlencoded::parse(query.as_bytes());
    parameters.filter(move |(own, _)| own == name).map(|(_, value)| value.into_owned())
}

/// `address` with both queries; what `pinned` names is not said by `own`.
fn with_query(address: String, own: &str, pinned: &str) -> String {
    let query = if own.is_empty() || pinned.is_empty() {
        [own, pinned].concat()
    } else {
        let names: Vec<String> = pinned.split('&').flat_map(pieces).collect();
        let free = |part: &&str| !part.is_empty() && !pieces(part).any(|name| names.contains(&name));
        own.split('&').filter(free).chain([pinned]).collect::<Vec<_>>().join("&")
    };
    if query.is_empty() { address } else { format!("{address}?{query}") }
}

/// The names that a parameter may be read as having: servers differ in letter case, in brackets, and in whether a `;` parts
/// parameters.
fn pieces(part: &str) -> impl Iterator<Item = String> {
    let name = |piece: &str| {
        let name = resolved(piece.split('=').next().unwrap_or_default()).replace('+', " ");
        let name = name.split(['[', '\u{0}', '=']).next().unwrap_or_default();
        name.trim_matches(|letter: char| letter.is_whitespace() || letter.is_control()).to_lowercase()
    };
    part.split(';').map(name).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
#[path = "address/tests.rs"]
mod tests;
