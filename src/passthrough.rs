//! Native calls: what is passed on to a provider as it came, by which names, and where it goes.
//!
//! `/providers/{provider}/{path}` reaches everything that a provider offers, in its own words. What is known of such a call is
//! its path, and what its answer says in passing ([`Meter`]); what may not leave is watched for ([`Guard`]).
//!
//! A path has two names: as it was written, and without the version that it may begin with. Rules and prices may use
//! either: `openai/images/*` is for `images/generations` and for `v1/images/generations`.

use crate::address::{before_model, is_version, opened};
use crate::catalog::UNBOUNDED_DEFAULT;
use crate::pattern::Pattern;
use crate::price::Price;
use crate::units::NanoUsd;

mod bill;
mod guard;
mod kept;
mod meter;
mod pieces;
mod scan;
mod serving;
mod usage;

pub use bill::bill;
pub use guard::{Guard, Quoted};
pub use kept::Touch;
pub use meter::Meter;

/// What is passed on where a policy does not say: what leaves nothing behind at the provider. Files, batches and the like
/// belong to the provider's key, which all tenants share: one would see what is another's.
pub const STATELESS: [&str; 4] = ["*/images/*", "*/audio/*", "*/moderations", "*/rerank"];
/// The most bytes of a path, and of a query.
pub const PATH_BYTES_MAX: usize = 1_024;
/// The most bytes of a query.
pub const QUERY_BYTES_MAX: usize = 4_096;

/// Native calls by their names at OpenAI, after `/v1`: whole, or with more behind a `/`. A response is one where it is looked at.
const ALIASES: [(&str, bool); 7] = [
    ("images", true),
    ("audio", true),
    ("moderations", false),
    ("rerank", false),
    ("batches", true),
    ("files", true),
    ("responses", true),
];

/// What such a call is called where models are: in a policy's `models`, in limits and in usage.
pub fn model_name(provider: &str) -> String {
    format!("providers/{provider}")
}

/// Where such a call goes, as far as a provider's health is concerned.
pub fn target_name(provider: &str) -> String {
    format!("{provider}/*")
}

/// The path of a native call in `api`, a path after `/v1`, where it is one of OpenAI's names.
pub fn alias(api: &str) -> Option<&str> {
    let path = api.strip_prefix('/')?;
    let (first, more) = path.split_once('/').map_or((path, false), |(first, _)| (first, true));
    let is_call = path == "responses";
    ALIASES.iter().any(|&(name, open)| name == first && (open || !more) && !is_call).then_some(path)
}

/// Whether `path` can be put behind a provider's address and still mean what it says.
pub fn is_sane(path: &str) -> bool {
    let segment = |segment: &str| !matches!(segment, "" | "." | "..");
    path.len() <= PATH_BYTES_MAX && path.split('/').all(segment) && has_plain_bytes(path)
}

/// Only bytes that no server takes for something else: no escape of a `/`, a `\`, a `.`, a `%` or a control character.
fn has_plain_bytes(path: &str) -> bool {
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~:@+,=/".contains(&byte);
        let mut escaped = || {
            let digits = [bytes.next()?, bytes.next()?];
            u8::from_str_radix(str::from_utf8(&digits).ok()?, 16).ok()
        };
        let harmless = |byte: u8| !byte.is_ascii_control() && !b"/\\.%?#".contains(&byte);
        if !plain && (byte != b'%' || !escaped().is_some_and(harmless)) {
            return false;
        }
    }
    true
}

/// What a budget holds for a call to a path of this `price`: what such a call costs each time, where that is named.
pub fn hold(price: &Price) -> NanoUsd {
    if price.request > NanoUsd::ZERO { price.request } else { UNBOUNDED_DEFAULT }
}

/// The names of a call to `path` of `provider` at `base_url`, by which rules and prices know it. Where a model opens the path,
/// they are those of the path that is called of that model, and then of that path with the model, as the provider sees it.
pub fn names(provider: &str, base_url: &str, path: &str) -> impl Iterator<Item = String> {
    let (model, path) = opened(base_url, path);
    let unversioned = path.split_once('/').filter(|(first, _)| is_version(first)).map(|(_, rest)| rest);
    let whole = model.zip(before_model(base_url)).map(|(model, before)| format!("{before}/{model}/{path}"));
    let names = [Some(path), unversioned].into_iter().flatten().map(str::to_owned).chain(whole);
    names.map(move |path| format!("{provider}/{path}"))
}

/// Whether one of `patterns` is for a call to `path` of `provider` at `base_url`. A pattern is `provider/path`, and its first `/` is the one
/// between the two; one without is for all of a provider.
pub fn allows(patterns: &[Pattern], provider: &str, base_url: &str, path: &str) -> bool {
    let covers = |pattern: &Pattern, name: &str| {
        let (own_provider, own_path) = pattern.as_str().split_once('/').unwrap_or((pattern.as_str(), "*"));
        let path = name.split_once('/').map_or("", |(_, path)| path);
        Pattern::new(own_provider).matches(provider) && Pattern::new(own_path).matches(path)
    };
    names(provider, base_url, path).any(|name| patterns.iter().any(|pattern| covers(pattern, &name)))
}

#[cfg(test)]
#[path = "passthrough/tests.rs"]
mod tests;
