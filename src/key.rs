//! API keys: what is shown once, what is stored, and how a forged one is told without a look-up.
//!
//! A key reads `tg_<tenant>_<key id>_<secret><mac>`. The front Worker checks the MAC, made with a
//! signing secret of the deployment; the tenant's object compares the SHA-256 of the secret. So
//! neither a stolen database nor a stolen signing secret is enough to mint a key.

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;

/// How every key begins. Never change it: keys that are out there begin like this.
const PREFIX: &str = "tg_";
/// 16 bytes in base 62, padded.
const BLOCK_CHARS: usize = 22;
const SECRET_CHARS: usize = BLOCK_CHARS * 2;
const TAIL_CHARS: usize = SECRET_CHARS + BLOCK_CHARS;
const KEY_BYTES_MAX: usize = 256;

/// A tenant's name: 1 to 40 of `a-z 0-9 -`, not beginning with `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TenantId(String);

impl TenantId {
    /// `text`, if it is such a name.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        let fits = (1..=40).contains(&text.len()) && !text.starts_with('-');
        (plain && fits).then(|| Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A key's public name: 1 to 22 of `0-9 A-Z a-z`. The default is no key's.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(String);

impl KeyId {
    /// `text`, if it is such a name.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (plain && (1..=BLOCK_CHARS).contains(&text.len())).then(|| Self(text.to_owned()))
    }

    /// The name made of 16 bytes, which the caller took from a UUID.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(base62_block(bytes))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A whole key, as its holder sees it: shown once, when it is made. It does not print.
pub struct PlainKey(String);

impl PlainKey {
    /// The key's text, for the one answer that shows it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PlainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainKey")
    }
}

/// The SHA-256 of a key's secret part: what is stored, and what an admission brings. It does not print.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretHash(String);

impl SecretHash {
    fn of(secret: &str) -> Self {
        let (left, right) = halves(Sha256::digest(secret.as_bytes()).into());
        Self(base62_block(left) + &base62_block(right))
    }

    /// Reads what [`SecretHash::as_str`] gave.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (plain && text.len() == SECRET_CHARS).then(|| Self(text.to_owned()))
    }

    /// The hash as text, for storage.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both are the hash of one secret, in a time that does not depend on where they differ.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash")
    }
}

/// The deployment's secret that signs keys (`API_KEYS_SECRET`). It does not print.
pub struct SigningSecret(Hmac<Sha256>);

impl SigningSecret {
    /// The secret's shortest length, in bytes.
    pub const BYTES_MIN: usize = 16;

    /// `text` as a signing secret; `None` if it is shorter than [`SigningSecret::BYTES_MIN`].
    pub fn new(text: &str) -> Option<Self> {
        if text.len() < Self::BYTES_MIN {
            return None;
        }
        Hmac::new_from_slice(text.as_bytes()).ok().map(Self)
    }

    /// The MAC of `text`: 16 of its 32 bytes.
    fn mac(&self, text: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(text.as_bytes());
        base62_block(halves(mac.finalize().into_bytes().into()).0)
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret")
    }
}

/// Makes a key of `secret`, 32 bytes that the caller drew at random.
pub fn issue(tenant: &TenantId, key: &KeyId, secret: [u8; 32], signing: &SigningSecret) -> (PlainKey, SecretHash) {
    let (left, right) = halves(secret);
    let secret = base62_block(left) + &base62_block(right);
    let signed = format!("{PREFIX}{}_{}_{secret}", tenant.0, key.0);
    let mac = signing.mac(&signed);
    (PlainKey(signed + &mac), SecretHash::of(&secret))
}

/// A key that was presented and bears our MAC: who it says it is, and the hash that proves it.
#[derive(Clone, Debug)]
pub struct Presented {
    /// The tenant it was made for.
    pub tenant: TenantId,
    /// Its public name.
    pub key: KeyId,
    /// To be compared with the stored hash.
    pub hash: SecretHash,
}

/// Reads a key and checks its MAC under each of `signing`; `None` for anything that we did not make.
pub fn read(text: &str, signing: &[SigningSecret]) -> Option<Presented> {
    if text.len() > KEY_BYTES_MAX {
        return None;
    }
    let mut parts = text.strip_prefix(PREFIX)?.split('_');
    let (tenant, key, tail) = (TenantId::parse(parts.next()?)?, KeyId::parse(parts.next()?)?, parts.next()?);
    let whole = parts.next().is_none() && tail.len() == TAIL_CHARS;
    if !whole || !tail.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let (secret, mac) = tail.split_at_checked(SECRET_CHARS)?;
    let signed = text.get(..text.len().checked_sub(BLOCK_CHARS)?)?;
    let ours = |secret: &SigningSecret| bool::from(secret.mac(signed).as_bytes().ct_eq(mac.as_bytes()));
    signing.iter().any(ours).then(|| Presented { tenant, key, hash: SecretHash::of(secret) })
}

/// Whether `text` claims to be a key of ours.
pub fn is_like_ours(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// Whether a whole key, anybody's, stands somewhere in `text`.
pub fn is_in(text: &str) -> bool {
    text.match_indices(PREFIX).any(|(at, prefix)| {
        let mut parts = text.get(at..).and_then(|key| key.strip_prefix(prefix)).unwrap_or_default().splitn(3, '_');
        let mut part = || parts.next().unwrap_or_default();
        let (tenant, key, tail) = (part(), part(), part());
        let tail = tail.bytes().take_while(u8::is_ascii_alphanumeric).count();
        TenantId::parse(tenant).is_some() && KeyId::parse(key).is_some() && tail >= TAIL_CHARS
    })
}

/// The token of a header `Authorization: Bearer …`; the scheme may be in any letters, with any space around the token.
pub fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.trim().split_once(char::is_whitespace)?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

/// Two different keys of ours in one request: it is not known which was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TwoKeys;

/// Which of the credentials of one request counts, by its place among them: the one that is a key of ours, wherever it stands, else
/// the first. Empty ones are none.
///
/// # Errors
/// [`TwoKeys`].
pub fn choose<'a>(presented: impl Iterator<Item = &'a str> + Clone) -> Result<Option<usize>, TwoKeys> {
    let mut ours = presented.clone().enumerate().filter(|(_, text)| is_like_ours(text));
    let Some((place, key)) = ours.next() else {
        return Ok(presented.enumerate().find(|(_, text)| !text.is_empty()).map(|(place, _)| place));
    };
    if ours.all(|(_, other)| other == key) { Ok(Some(place)) } else { Err(TwoKeys) }
}

/// A key with its secret left out, for lists: `tg_acme_5cQ…`.
pub fn redacted(tenant: &TenantId, key: &KeyId) -> String {
    format!("{PREFIX}{}_{}_...", tenant.0, key.0)
}

fn halves(bytes: [u8; 32]) -> ([u8; 16], [u8; 16]) {
    let number = |part: &[u8]| part.iter().fold(0_u128, |number, &byte| (number << 8) | u128::from(byte));
    let (left, right) = bytes.split_at(16);
    (number(left).to_be_bytes(), number(right).to_be_bytes())
}

fn base62_block(bytes: [u8; 16]) -> String {
    format!("{:0>width$}", base62::encode(u128::from_be_bytes(bytes)), width = BLOCK_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn signing(text: &str) -> SigningSecret {
        SigningSecret::new(text).unwrap()
    }

    fn sample(secret: [u8; 32]) -> (PlainKey, SecretHash) {
        let tenant = TenantId::parse("acme-1").unwrap();
        issue(&tenant, &KeyId::from_bytes([7; 16]), secret, &signing("a signing secret"))
    }

    proptest! {
        #[test]
        fn a_key_is_read_back_and_any_change_to_it_is_noticed(secret: [u8; 32], at in 0_usize..120, byte in 0x21_u8..0x7f) {
            let (plain, hash) = sample(secret);
            let presented = read(plain.reveal(), &[signing("another signing secret"), signing("a signing secret")]).unwrap();
            prop_assert_eq!(presented.tenant.as_str(), "acme-1");
            prop_assert!(presented.hash.matches(&hash));
            prop_assert!(read(plain.reveal(), &[signing("another signing secret")]).is_none());
            let mut bytes = plain.reveal().as_bytes().to_vec();
            let at = at % bytes.len();
            if bytes[at] != byte {
                bytes[at] = byte;
                let changed = String::from_utf8(bytes).unwrap();
                prop_assert!(read(&changed, &[signing("a signing secret")]).is_none());
            }
        }

        #[test]
        fn any_text_at_all_can_be_presented(text in ".*") {
            prop_assert!(read(&text, &[signing("a signing secret")]).is_none());
        }
    }

    #[test]
    fn a_key_is_found_in_a_text() {
        let (plain, _) = sample([9; 32]);
        let key = plain.reveal();
        for (text, found) in [
            (key.to_owned(), true),
            (format!("a tg_x_y Bearer {key}, and more"), true),
            (format!("x{key}y"), true),
            (key[..key.len() - 1].to_owned(), false),
            (key.replace("tg_", "TG_"), false),
            ("tg_acme_1".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(is_in(&text), found, "{text}");
        }
    }

    #[test]
    fn of_two_credentials_ours_counts_wherever_it_stands() {
        for (presented, chosen) in [
            (&["", "", ""][..], Ok(None)),
            (&["sk-1", "", "sk-2"], Ok(Some(0))),
            (&["", "sk-1"], Ok(Some(1))),
            (&["sk-1", "tg_a"], Ok(Some(1))),
            (&["tg_a", "sk-1"], Ok(Some(0))),
            (&["", "tg_a", "", "tg_a"], Ok(Some(1))),
            (&["tg_a", "tg_b"], Err(TwoKeys)),
            (&["sk-1", "tg_a", "tg_a", "tg_b"], Err(TwoKeys)),
        ] {
            assert_eq!(choose(presented.iter().copied()), chosen, "{presented:?}");
        }
    }

    #[test]
    fn a_bearer_is_told_by_its_scheme() {
        for (header, token) in [
            ("Bearer tg_a", Some("tg_a")),
            ("bearer  tg_a ", Some("tg_a")),
            ("BEARER\ttg_a", Some("tg_a")),
            ("Bearer", None),
            ("Bearer ", None),
            ("Bearertg_a", None),
            ("Basic tg_a", None),
            ("tg_a", None),
            ("é tg_a", None),
            ("", None),
        ] {
            assert_eq!(bearer(header), token, "{header}");
        }
    }

    #[test]
    fn secrets_do_not_print() {
        let (plain, hash) = sample([0; 32]);
        let shown = format!("{plain:?} {hash:?} {:?}", signing("a signing secret"));
        assert_eq!(shown, "PlainKey SecretHash SigningSecret");
        assert_eq!(plain.reveal().len(), "tg_acme-1_".len() + 22 + 1 + 66);
    }

    #[test]
    fn names_are_plain() {
        for (text, good) in
            [("acme", true), ("a", true), ("", false), ("-a", false), ("A", false), ("a_b", false), ("é", false)]
        {
            assert_eq!(TenantId::parse(text).is_some(), good, "{text}");
        }
        assert!(TenantId::parse(&"a".repeat(41)).is_none());
        assert!(SigningSecret::new("short").is_none());
    }
}
