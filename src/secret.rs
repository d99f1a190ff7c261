//! The secrets that providers are shown: what is fit to be one, and how one is told in what comes back ([`watch`]).

use crate::google::ServiceAccount;
use std::fmt;

pub mod watch;
mod escapes;
mod needles;

/// The least bytes of a secret: fewer come about by chance, so that none could be watched for.
pub const BYTES_MIN: usize = 8;

/// A secret, without the space around it that comes with pasting. It does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// What a deployment has in the place of a secret cannot be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Nothing is set.
    Missing,
    /// It is space alone.
    Blank,
    /// It has fewer than [`BYTES_MIN`] bytes.
    Short,
    /// It holds what no header can carry.
    Unprintable,
    /// It is not the key file of a service account: what is wrong with it.
    Account(String),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing"),
            Self::Blank => f.write_str("is blank"),
            Self::Short => write!(f, "is too short: it has fewer than {BYTES_MIN} bytes"),
            Self::Unprintable => {
                f.write_str("holds line breaks or other characters that cannot be sent; it must be printable ASCII")
            }
            Self::Account(problem) => write!(f, "is no service account's key file: {problem}"),
        }
    }
}

impl Secret {
    /// Reads what a deployment has in the place of a secret that goes into a header.
    ///
    /// # Errors
    /// Why it cannot be one.
    pub fn read(text: &str) -> Result<Self, Unfit> {
        let secret = Self::read_document(text)?;
        let fits = secret.0.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        if fits { Ok(secret) } else { Err(Unfit::Unprintable) }
    }

    /// Reads one that is a document, of which nothing goes into a header.
    ///
    /// # Errors
    /// Why it cannot be one.
    pub fn read_document(text: &str) -> Result<Self, Unfit> {
        let is_space = |letter: char| letter.is_whitespace() || letter == '\u{feff}';
        let trimmed = text.trim_matches(is_space);
        if text.is_empty() {
            return Err(Unfit::Missing);
        }
        if trimmed.is_empty() {
            return Err(Unfit::Blank);
        }
        if trimmed.len() < BYTES_MIN { Err(Unfit::Short) } else { Ok(Self(trimmed.to_owned())) }
    }

    /// One that a provider gave, such as a token.
    pub fn granted(text: String) -> Self {
        Self(text)
    }

    /// The secret itself, for the one request that shows it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A secret of a deployment that is unfit, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnfitSecret {
    /// What the deployment calls it.
    pub name: String,
    /// Why it cannot be one.
    pub why: Unfit,
}

/// Reads the secrets of these names; `given`: what the deployment has in the place of each. `document`: they go into no header.
///
/// # Errors
/// The first that is unfit.
pub fn read_all<'a>(
    names: impl IntoIterator<Item = &'a str>,
    given: &[String],
    document: bool,
) -> Result<Vec<Secret>, UnfitSecret> {
    let read = if document { Secret::read_document } else { Secret::read };
    let one = |(at, name): (usize, &str)| {
        read(given.get(at).map_or("", String::as_str)).map_err(|why| UnfitSecret { name: name.to_owned(), why })
    };
    names.into_iter().enumerate().map(one).collect()
}

/// What is wrong with the secret `name`, the first of these, as the key file of Google's service account that it ought to be.
pub fn unfit_account(name: &str, secrets: &[Secret]) -> Option<UnfitSecret> {
    let wrong = ServiceAccount::parse(secrets.first()?.reveal()).err()?;
    let problem = format!("{} {}", wrong.path, wrong.problem).trim().to_owned();
    Some(UnfitSecret { name: name.to_owned(), why: Unfit::Account(problem) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_secret_is_told_by_its_name() {
        let long = "sk-0123456789";
        for (text, unfit) in [
            ("", Some(Unfit::Missing)),
            ("   ", Some(Unfit::Blank)),
            ("\u{feff}\r\n", Some(Unfit::Blank)),
            ("a", Some(Unfit::Short)),
            ("1234567", Some(Unfit::Short)),
            ("  1234567  ", Some(Unfit::Short)),
            ("12345678", None),
            (" sk-0123456789\r\n", None),
            ("Key sk-0123456789", None),
            ("sk-0123\n456789", Some(Unfit::Unprintable)),
            ("sk-0123\u{0}456789", Some(Unfit::Unprintable)),
            ("\u{201c}sk-0123456789\u{201d}", Some(Unfit::Unprintable)),
        ] {
            let given = [long.to_owned(), text.to_owned()];
            let read = read_all(["GOOD", "OTHER"], &given, false);
            let unfit = unfit.map(|why| UnfitSecret { name: "OTHER".to_owned(), why });
            assert_eq!(read.err(), unfit, "{text:?}");
        }
        assert_eq!(read_all(["GOOD", "OTHER"], &[long.to_owned()], false).unwrap_err().why, Unfit::Missing);
        assert!(read_all(["FILE"], &["{\n \"a\": 1}".to_owned()], true).is_ok());
        let account = [Secret::read_document("{\"client_email\": 7}").unwrap()];
        let unfit = unfit_account("FILE", &account).unwrap();
        assert_eq!(unfit.why.to_string(), "is no service account's key file: client_email must be a text");
        assert_eq!(Secret::read(" sk-0123456789\n").unwrap().reveal(), long);
        assert_eq!(format!("{:?}", Secret::read(long)), "Ok(Secret)");
    }
}
