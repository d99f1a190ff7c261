//! What reaches Google Vertex: the token that a service account is given for a signed assertion.
//!
//! The assertion is made here, but for its signature (RSASSA-PKCS1-v1_5 with SHA-256), which the platform's own
//! cryptography makes with [`ServiceAccount::key`]: the bytes that it signs are those of [`ServiceAccount::assertion`].
//! [`token_request`] is then sent to [`ServiceAccount::token_uri`], and [`Token::read`] reads what it answers.
//!
//! Source: RFC 7523; Google's page "Using OAuth 2.0 for server to server applications".

use crate::fields::Invalid;
use crate::units::Millis;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use std::fmt;

/// What a token is for: all of Google's cloud that the account may use.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// Where a token is asked for, if the account does not say.
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
/// How long an assertion holds: the most that Google takes.
const ASSERTION_SECS: u64 = 3600;
/// A token is not used in its last minute, in which it may lapse on the way.
const MARGIN: Millis = Millis::from_secs(60);
const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";

/// A service account, as its key file has it. It does not print.
pub struct ServiceAccount {
    email: String,
    key: Vec<u8>,
    key_id: Option<String>,
    token_uri: String,
}

impl ServiceAccount {
    /// Reads a key file, the JSON that Google hands out.
    ///
    /// # Errors
    /// [`Invalid`] names the field that is wrong, and nothing of what it holds.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let file: Map<String, Value> =
            serde_json::from_str(text).map_err(|_| invalid("", "must be the JSON of a service account's key file"))?;
        let field = |name: &str| file.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let email = field("client_email").ok_or_else(|| invalid("client_email", "must be a text"))?.to_owned();
        let key = field("private_key").ok_or_else(|| invalid("private_key", "must be a text"))?;
        let key = der(key)
            .ok_or_else(|| invalid("private_key", "must be a PKCS#8 key in PEM, -----BEGIN PRIVATE KEY-----"))?;
        let token_uri = field("token_uri").unwrap_or(TOKEN_URI).to_owned();
        // A loopback address is for tests and emulators.
        if !["https://", "http://127.0.0.1:"].iter().any(|start| token_uri.starts_with(start)) {
            return Err(invalid("token_uri", "must begin with https://"));
        }
        Ok(Self { email, key, key_id: field("private_key_id").map(str::to_owned), token_uri })
    }

    /// Where a token is asked for.
    pub fn token_uri(&self) -> &str {
        &self.token_uri
    }

    /// The private key: the DER of PKCS#8, for whoever signs with it.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The assertion that is to be signed, good for an hour from `now` on: the header and the claims of a JWT.
    pub fn assertion(&self, now: Millis) -> String {
        let issued = now.get() / 1000;
        let mut header = json!({"alg": "RS256", "typ": "JWT"});
        if let (Some(id), Some(members)) = (&self.key_id, header.as_object_mut()) {
            members.insert("kid".to_owned(), id.as_str().into());
        }
        let claims = json!({
            "iss": self.email, "scope": SCOPE, "aud": self.token_uri,
            "iat": issued, "exp": issued.saturating_add(ASSERTION_SECS),
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}", part(&header), part(&claims))
    }
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServiceAccount")
    }
}

/// The body that asks for a token, `application/x-www-form-urlencoded`: `assertion` with its `signature`.
pub fn token_request(assertion: &str, signature: &[u8]) -> String {
    let signature = URL_SAFE_NO_PAD.encode(signature);
    format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}.{signature}")
}

/// A token for calls. It does not print.
#[derive(Clone)]
pub struct Token {
    bearer: String,
    since: Millis,
    until: Millis,
}

/// Google gives no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoToken {
    /// Why, in a word, as `invalid_grant`; empty where it does not say.
    pub error: String,
    /// Why, for people.
    pub description: String,
}

impl Token {
    /// Reads the answer to a [`token_request`] that came at `now`.
    ///
    /// # Errors
    /// [`NoToken`] for any answer without a token.
    pub fn read(body: &[u8], now: Millis) -> Result<Self, NoToken> {
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let lifetime = answer.get("expires_in").and_then(Value::as_u64);
        let bearer = text("access_token");
        let Some(lifetime) = lifetime.filter(|_| !bearer.is_empty()) else {
            return Err(NoToken { error: text("error"), description: text("error_description") });
        };
        Ok(Self { bearer, since: now, until: now.plus(Millis::from_secs(lifetime)).minus(MARGIN) })
    }

    /// The token, for the header `Authorization: Bearer`.
    pub fn reveal(&self) -> &str {
        &self.bearer
    }

    /// Whether it may be used at `now`; by a clock that was ahead when it was given it may not.
    pub fn holds(&self, now: Millis) -> bool {
        (self.since..self.until).contains(&now)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

fn invalid(path: &str, problem: &str) -> Invalid {
    Invalid { path: path.to_owned(), problem: problem.to_owned() }
}

/// The bytes of a private key in PEM. A line end may have become the two letters `\n` where the file was pasted.
fn der(pem: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once(PEM_BEGIN)?;
    let (body, _) = rest.split_once(PEM_END)?;
    let body: String = body.replace("\\n", "").split_whitespace().collect();
    STANDARD.decode(body).ok().filter(|der| der.first() == Some(&0x30))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key file whose private key is `pem`, with the members of `more` in place of its own.
    fn file(pem: &str, more: &Value) -> String {
        let mut file = json!({
            "type": "service_account", "project_id": "p", "private_key_id": "k1", "private_key": pem,
            "client_email": "gate@p.iam.gserviceaccount.com", "token_uri": "https://oauth2.googleapis.com/token",
        });
        file.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        file.to_string()
    }

    const PEM: &str = "-----BEGIN PRIVATE KEY-----\nMAMC\nAQA=\n-----END PRIVATE KEY-----\n";
    const DER: [u8; 5] = [0x30, 3, 2, 1, 0];

    #[test]
    fn a_key_file_is_read() {
        let account = ServiceAccount::parse(&file(PEM, &json!({}))).unwrap();
        assert_eq!((account.key(), account.token_uri()), (&DER[..], TOKEN_URI));
        let pasted = ServiceAccount::parse(&file(&PEM.replace('\n', "\\n"), &json!({"token_uri": null}))).unwrap();
        assert_eq!((pasted.key(), pasted.token_uri()), (&DER[..], TOKEN_URI));
    }

    #[test]
    fn what_is_wrong_with_a_key_file_is_named_and_nothing_of_it_shown() {
        for (text, path) in [
            ("secret", ""),
            (&file(PEM, &json!({"client_email": 7})), "client_email"),
            (&file(PEM, &json!({"private_key": "secret"})), "private_key"),
            (&file(&PEM.replace("PRIVATE", "RSA PRIVATE"), &json!({})), "private_key"),
            (&file(&PEM.replace("MAMC", "secret!"), &json!({})), "private_key"),
            (&file(&PEM.replace("MAMC", "AAAA"), &json!({})), "private_key"),
            (&file(PEM, &json!({"token_uri": "http://secret"})), "token_uri"),
        ] {
            let invalid = ServiceAccount::parse(text).unwrap_err();
            assert_eq!(invalid.path, path, "{text}");
            assert!(!invalid.to_string().contains("secret"), "{invalid}");
        }
    }

    #[test]
    fn an_assertion_holds_for_an_hour() {
        let account = ServiceAccount::parse(&file(PEM, &json!({}))).unwrap();
        let assertion = account.assertion(Millis::new(1_700_000_000_999));
        let parts: Vec<Value> = assertion
            .split('.')
            .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
            .collect();
        assert_eq!(parts[0], json!({"alg": "RS256", "typ": "JWT", "kid": "k1"}));
        let claims = json!({
            "iss": "gate@p.iam.gserviceaccount.com", "scope": SCOPE, "aud": TOKEN_URI,
            "iat": 1_700_000_000, "exp": 1_700_003_600,
        });
        assert_eq!(parts[1], claims);
        let body = token_request("a.b", &[0xff, 0xfe]);
        assert_eq!(body, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=a.b.__4");
    }

    #[test]
    fn a_token_is_used_until_a_minute_before_its_end() {
        let now = Millis::from_secs(1000);
        let token = Token::read(br#"{"access_token":"ya29.x","expires_in":3599,"token_type":"Bearer"}"#, now).unwrap();
        assert_eq!(token.reveal(), "ya29.x");
        for (secs, holds) in [(999, false), (1000, true), (4538, true), (4539, false), (9999, false)] {
            assert_eq!(token.holds(Millis::from_secs(secs)), holds, "{secs}");
        }
        let refused = br#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#;
        let no_token =
            |error: &str, description: &str| NoToken { error: error.to_owned(), description: description.to_owned() };
        for (body, why) in [
            (&refused[..], no_token("invalid_grant", "Invalid JWT Signature.")),
            (br#"{"access_token":"","expires_in":1}"#, no_token("", "")),
            (br#"{"access_token":"x"}"#, no_token("", "")),
            (b"<html>", no_token("", "")),
        ] {
            assert_eq!(Token::read(body, now).unwrap_err(), why);
        }
    }

    #[test]
    fn secrets_do_not_print() {
        let account = ServiceAccount::parse(&file(PEM, &json!({}))).unwrap();
        let token = Token::read(br#"{"access_token":"x","expires_in":1}"#, Millis::ZERO).unwrap();
        assert_eq!(format!("{account:?} {token:?}"), "ServiceAccount Token");
    }
}
