//! How a service account gets a token of Google's: `google.js` signs and asks, here is what is signed and asked.
//!
//! Nothing here is a constructor: one that fails is taken for a panic, and the Rust memory starts anew.

use super::tenant_host::millis;
use crate::google::{ServiceAccount, Token, token_request};
use wasm_bindgen::prelude::{JsError, wasm_bindgen};

/// One request for a token.
#[wasm_bindgen]
pub struct Grant {
    account: ServiceAccount,
    assertion: String,
}

/// A token, and whether it still holds.
#[wasm_bindgen]
pub struct Granted(Token);

#[wasm_bindgen]
impl Grant {
    /// Begins with the `account`, the JSON of its key file.
    ///
    /// # Errors
    /// What is wrong with that, without a word of it.
    pub fn of(account: &str, now: f64) -> Result<Grant, JsError> {
        let account = ServiceAccount::parse(account).map_err(|invalid| JsError::new(&invalid.to_string()))?;
        let assertion = account.assertion(millis(now));
        Ok(Self { account, assertion })
    }

    /// The private key, as PKCS#8.
    pub fn key(&self) -> Vec<u8> {
        self.account.key().to_vec()
    }

    /// The bytes to be signed.
    pub fn assertion(&self) -> Vec<u8> {
        self.assertion.as_bytes().to_vec()
    }

    /// Where the token is asked for.
    pub fn url(&self) -> String {
        self.account.token_uri().to_owned()
    }

    /// What is sent there.
    pub fn body(&self, signature: &[u8]) -> String {
        token_request(&self.assertion, signature)
    }
}

#[wasm_bindgen]
impl Granted {
    /// Reads what Google answered at `now`.
    ///
    /// # Errors
    /// Why it gave no token.
    pub fn read(answer: &[u8], now: f64) -> Result<Granted, JsError> {
        let refused = |no: crate::google::NoToken| JsError::new(&format!("{}: {}", no.error, no.description));
        Token::read(answer, millis(now)).map(Self).map_err(refused)
    }

    /// The token itself.
    pub fn token(&self) -> String {
        self.0.reveal().to_owned()
    }

    /// Whether it may still be used.
    pub fn holds(&self, now: f64) -> bool {
        self.0.holds(millis(now))
    }
}
