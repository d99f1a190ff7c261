//! Watches that a secret is in no bytes that pass, in whatever way it is written.
//!
//! Found are its bytes, in base64 and in hexadecimal digits as well, each as it stands or with any of it escaped: as JSON, addresses
//! and HTML do, up to three times over. Not found is one that is packed, that is written by a cipher, or whose parts stand apart, as in
//! the texts of two events.

use super::escapes::{self, Resolved};
use super::needles::Needles;
use super::{BYTES_MIN, Secret};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// How often escapes are resolved.
const ESCAPES_DEEP: usize = 3;
/// How many bytes one may take for each of its own, at the most.
const ESCAPED_BYTES_MAX: usize = 12;
/// The longest run of backslashes that is kept together.
const RUN_MAX: usize = 64;
/// The longest that is watched for, and the longest whose other forms are, too: what is longer is a document, which no provider is shown.
const SECRET_BYTES_MAX: usize = 4_096;
const FORMS_BYTES_MAX: usize = 512;

/// What is watched for. It does not print.
pub struct Watch {
    needles: Needles,
    /// The bytes that one of them has.
    wanted: [bool; 256],
}

impl Default for Watch {
    /// A watch for nothing.
    fn default() -> Self {
        Self { needles: Needles::default(), wanted: [false; 256] }
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watch")
    }
}

impl Watch {
    /// A watch for all of `secrets`.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let needles = Needles::new(secrets.into_iter().flat_map(|secret| forms(secret.reveal().as_bytes())).collect());
        let mut wanted = [false; 256];
        for byte in needles.bytes() {
            if let Some(known) = wanted.get_mut(usize::from(byte)) {
                *known = true;
            }
        }
        Self { needles, wanted }
    }

    /// Whether a secret is in `bytes`.
    pub fn finds(&self, bytes: &[u8]) -> bool {
        if self.needles.is_empty() {
            return false;
        }
        let mut resolved = Resolved::default();
        for deep in 0..=ESCAPES_DEEP {
            let text = if deep == 0 { bytes } else { &resolved.bytes };
            if self.needles.are_in(text) {
                return true;
            }
            if deep == ESCAPES_DEEP || !escapes::matter(text, &self.wanted) {
                break;
            }
            resolved = escapes::resolve(text, |_| 0);
        }
        false
    }

    /// How many of the last `bytes` may be the beginning of a secret.
    pub fn begun(&self, bytes: &[u8]) -> usize {
        let mut from = bytes.len().saturating_sub(self.needles.begun(bytes));
        let most = self.needles.longest().saturating_mul(ESCAPED_BYTES_MAX);
        let mut first = bytes.len().saturating_sub(most);
        // A window does not begin within a run of backslashes, where it would read another text.
        let head = bytes.get(first.saturating_sub(RUN_MAX)..first).unwrap_or_default();
        let run = head.iter().rev().take_while(|byte| **byte == b'\\').count();
        first = first.saturating_sub(run);
        let window = bytes.get(first..).unwrap_or_default();
        if memchr::memchr3(b'\\', b'%', b'&', window).is_none() {
            return bytes.len().saturating_sub(from);
        }
        let mut before: Option<Resolved> = None;
        for _ in 0..ESCAPES_DEEP {
            let resolved = match &before {
                None => escapes::resolve(window, |at| first.saturating_add(at)),
                Some(known) => {
                    escapes::resolve(&known.bytes, |at| known.starts.get(at).copied().unwrap_or(bytes.len()))
                }
            };
            let begun = self.needles.begun(&resolved.bytes);
            let begins = resolved.bytes.len().checked_sub(begun).filter(|_| begun > 0);
            let begins = begins.and_then(|at| resolved.starts.get(at)).copied();
            from = [begins, resolved.cut].into_iter().flatten().fold(from, usize::min);
            before = Some(resolved);
        }
        bytes.len().saturating_sub(from)
    }
}

/// The ways in which `secret` may be written, but for escapes.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    if !(BYTES_MIN..=SECRET_BYTES_MAX).contains(&secret.len()) {
        return Vec::new();
    }
    let mut forms = vec![secret.to_vec()];
    if secret.len() <= FORMS_BYTES_MAX {
        forms.extend((0..3).map(|before| base64(secret, before)));
        let safe = |form: &Vec<u8>| {
            form.iter()
                .map(|byte| {
                    if *byte == b'+' {
                        b'-'
                    } else if *byte == b'/' {
                        b'_'
                    } else {
                        *byte
                    }
                })
                .collect()
        };
        let safe: Vec<Vec<u8>> = forms.iter().skip(1).map(safe).collect();
        forms.extend(safe);
        let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or_default();
        let hex: String = secret.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
        forms.push(hex.to_ascii_uppercase().into_bytes());
        forms.push(hex.into_bytes());
        forms.sort_unstable();
        forms.dedup();
    }
    forms
}

/// The letters of `secret` in base64 that do not depend on what stands before and behind it, where `before` bytes of a group of three
/// stand before it.
fn base64(secret: &[u8], before: usize) -> Vec<u8> {
    let mut bytes = vec![0; before];
    bytes.extend_from_slice(secret);
    let text = STANDARD_NO_PAD.encode(&bytes).into_bytes();
    let bits = bytes.len().saturating_mul(8);
    let (first, last) = (before.saturating_mul(8).div_ceil(6), bits.checked_div(6).unwrap_or(0));
    text.get(first..last).unwrap_or_default().to_vec()
}

#[cfg(test)]
#[path = "watch/tests.rs"]
mod tests;
