//! Calls with an `Idempotency-Key`: one provider call and one bill for each name within 24 hours.
//!
//! The value of the header is the call's *name*, and belongs to the API key that sent it. The first
//! call of a name is its *leader*: it is admitted as any other, and its row is written with its
//! reservation, so a retry can never reserve twice. Its front *publishes* the answer to the tenant's
//! object while it comes; whoever sends the name meanwhile, or later, *follows*: it gets those bytes
//! from the first one on, costs nothing and holds nothing.
//!
//! A name is free again when its call failed and nobody was billed, when nothing was heard of its
//! leader for as long as is allowed, or after 24 hours. An answer that was billed but could not be
//! kept keeps its name: a second bill is worse than no answer.
//!
//! Memory holds what runs and what changed in this turn; any other row is read when it is asked for.

use crate::key::KeyId;
use crate::rows::CallKey;
use crate::units::Millis;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Write;

mod names;

pub use names::{ANSWER_BYTES_MAX, COMING_BYTES_MAX, KEPT_BYTES_MAX, KEPT_FOR, Names, SWEPT_AT_ONCE, Standing};

/// A leader of which nothing was heard for so long is gone, or sooner if its lease is shorter.
pub const SILENCE_MAX: Millis = Millis::from_secs(30);
const NAME_CHARS_MAX: usize = 255;
/// The headers of an answer that are repeated with it: the others are about the first call alone.
const REPEATED: [&str; 9] = [
    "content-type",
    "cache-control",
    "x-tollgate-target",
    "x-tollgate-output-cap",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "www-authenticate",
    "allow",
];

/// What makes a request repeatable: its name, and what tells another request of that name apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Idempotency {
    /// The name, as [`read_name`] gives it.
    pub key: String,
    /// The hash of the endpoint and the body.
    pub body_hash: String,
}

impl Idempotency {
    /// The request to `endpoint` with this `body`, under this name.
    pub fn of(key: &str, endpoint: &str, body: &[u8]) -> Self {
        let hash = Sha256::new_with_prefix(endpoint.as_bytes()).chain_update([0]).chain_update(body).finalize();
        let mut body_hash = String::with_capacity(hash.len().saturating_mul(2));
        for byte in hash {
            // Writing to a text cannot fail.
            let _ = write!(body_hash, "{byte:02x}");
        }
        Self { key: key.to_owned(), body_hash }
    }
}

/// The name in an `Idempotency-Key` header: 1 to 255 visible ASCII characters, bare or quoted as in the IETF's
/// draft, which is the same name. `None`: it is not one.
pub fn read_name(header: &str) -> Option<String> {
    let header = header.trim_matches([' ', '\t']);
    let name = match header.strip_prefix('"') {
        None => header.to_owned(),
        Some(rest) => unquoted(rest.strip_suffix('"')?)?,
    };
    let visible = name.bytes().all(|byte| byte.is_ascii_graphic());
    (visible && (1..=NAME_CHARS_MAX).contains(&name.len())).then_some(name)
}

/// What stands between a structured field's quotes: `\` escapes `"` and itself, and nothing else.
fn unquoted(text: &str) -> Option<String> {
    let mut letters = text.chars();
    let mut name = String::with_capacity(text.len());
    while let Some(letter) = letters.next() {
        name.push(match letter {
            '\\' => letters.next().filter(|escaped| matches!(escaped, '"' | '\\'))?,
            '"' => return None,
            letter => letter,
        });
    }
    Some(name)
}

/// The part of an answer's head that is repeated: its status, and lines that alternate names and values.
pub fn repeated(head: &str) -> String {
    let mut lines = head.split('\n');
    let mut kept = lines.next().unwrap_or_default().to_owned();
    while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
        if REPEATED.contains(&name) {
            kept.push_str(&format!("\n{name}\n{value}"));
        }
    }
    kept
}

/// A name and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Name {
    /// The API key that it belongs to.
    pub key: KeyId,
    /// The name itself.
    pub name: String,
}

/// A named call's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedRow {
    /// The call's place in the ledger.
    pub at: CallKey,
    /// Its name.
    pub name: Name,
    /// The hash of its endpoint and body.
    pub body_hash: String,
    /// The call.
    pub call: String,
    /// The head of its answer; `None` while it runs.
    pub head: Option<String>,
}

/// One change to the rows of named calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameChange {
    /// The row is so now.
    Set(NamedRow),
    /// The row at this place is gone.
    Gone(CallKey),
    /// The answer at this place is gone.
    AnswerGone(CallKey),
    /// Some of the rows before this place are too old.
    Expired(CallKey),
}

/// The next bytes of a leader's answer, told to the object. That it is said at all shows that the leader lives.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Publish {
    /// The name and whose it is.
    pub name: Name,
    /// The leader.
    pub call: String,
    /// How many bytes came before these.
    pub from: u64,
    /// The answer's status and headers, as soon as they are known.
    #[serde(default)]
    pub head: Option<String>,
    /// What comes of it, where these bytes are the last.
    #[serde(default)]
    pub last: Option<Last>,
    /// The front does not have all bytes any more.
    #[serde(default)]
    pub lost: bool,
}

/// What comes of an answer that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Last {
    /// It was billed: it is kept.
    Kept,
    /// Nobody was billed: whoever waits gets it, and the name is free.
    Failed,
}

/// What the object did with a [`Publish`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The call does not lead (any more): nothing else needs to be said of it.
    pub stop: bool,
    /// The bytes were taken.
    pub take: bool,
    /// How many bytes are there now: the next are to be said from there.
    pub have: u64,
    /// They are too many to be kept; none are there.
    pub full: bool,
    /// All bytes are to be stored at this place, now.
    pub store: Option<CallKey>,
}

/// A follower that asks how its call stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Following {
    /// The name and whose it is.
    pub name: Name,
    /// Its leader's place in the ledger.
    pub at: CallKey,
    /// Its leader.
    pub call: String,
}

/// How a followed call stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Followed {
    /// It runs; ask again after this time, if nothing comes before.
    Wait(Millis),
    /// Its answer is stored, with this head.
    Stored(String),
    /// Its answer was not kept.
    NotKept,
    /// It is gone: it failed, or nothing was heard of it any more.
    Gone,
}

#[cfg(test)]
mod tests;
