//! Integers with a unit: time, money and tokens, each at most 2^53 - 1.
//!
//! The ceiling is what a JavaScript number, and so the platform's SQL interface, carries exactly.
//! Sums stop at it instead of wrapping: a count that large refuses, which is the safe side.

use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The largest value of any unit: 2^53 - 1.
pub const CEILING: u64 = (1 << 53) - 1;

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// Zero.
            pub const ZERO: Self = Self(0);

            /// `value` in this unit, held down to [`CEILING`].
            pub const fn new(value: u64) -> Self {
                Self(if value > CEILING { CEILING } else { value })
            }

            /// The bare number.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The sum, held down to [`CEILING`].
            #[must_use]
            pub const fn plus(self, other: Self) -> Self {
                Self::new(self.0.saturating_add(other.0))
            }

            /// The difference, or zero where `other` is larger.
            #[must_use]
            pub const fn minus(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }

            /// This many times `factor`, held down to [`CEILING`].
            #[must_use]
            pub const fn times(self, factor: u64) -> Self {
                Self::new(self.0.saturating_mul(factor))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

unit! {
    /// Milliseconds: an instant since 1970 (UTC), or a span.
    Millis
}
unit! {
    /// Money, in billionths of a US dollar: the ceiling is about $9.0M.
    NanoUsd
}
unit! {
    /// Tokens of a model.
    Tokens
}
unit! {
    /// A count in the unit of the limit it stands beside: requests, tokens or nano-USD.
    Amount
}
unit! {
    /// A price: nano-USD for a million tokens.
    Rate
}

impl Millis {
    /// `seconds` as milliseconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self::new(seconds.saturating_mul(1_000))
    }

    /// Whole seconds, rounded up: what `Retry-After` carries.
    pub const fn as_secs_ceil(self) -> u64 {
        self.0.div_ceil(1_000)
    }

    /// The instant that RFC 3339 writes as `text`; `None` for anything else, and before 1970.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let instant = DateTime::parse_from_rfc3339(text).ok()?;
        u64::try_from(instant.timestamp_millis()).ok().map(Self::new)
    }

    /// The instant as RFC 3339 writes it, in UTC and to the millisecond; `None` for years that it cannot write.
    pub fn to_rfc3339(self) -> Option<String> {
        let instant = DateTime::from_timestamp_millis(i64::try_from(self.0).ok()?)?;
        Some(instant.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl NanoUsd {
    /// Reads US dollars written as a decimal: at most nine digits after the point, no sign.
    pub fn parse_usd(text: &str) -> Option<Self> {
        parse_decimal_9(text).map(Self)
    }

    /// US dollars as a decimal with no needless zeros: `25`, `0.000015`.
    pub fn to_usd(self) -> String {
        let (whole, fraction) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        if fraction == 0 {
            return whole.to_string();
        }
        format!("{whole}.{fraction:09}").trim_end_matches('0').to_owned()
    }
}

impl Rate {
    /// Reads US dollars for a million tokens, written as a decimal.
    pub fn parse_usd(text: &str) -> Option<Self> {
        parse_decimal_9(text).map(Self)
    }

    /// US dollars for a million tokens, as a decimal.
    pub fn to_usd(self) -> String {
        NanoUsd(self.0).to_usd()
    }
}

/// The decimal `text` in billionths, exactly; `None` for anything else or above [`CEILING`].
fn parse_decimal_9(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 || whole.len() > 12 {
        return None;
    }
    let billionths: u64 = format!("{fraction:0<9}").parse().ok()?;
    let whole: u64 = whole.parse().ok()?;
    let value = whole.checked_mul(1_000_000_000)?.checked_add(billionths)?;
    (value <= CEILING).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_read_and_written_exactly() {
        for (text, nano) in [
            ("25.00", 25_000_000_000),
            ("0.15", 150_000_000),
            ("0.000000001", 1),
            ("9007199.254740991", CEILING),
            ("0", 0),
        ] {
            let read = NanoUsd::parse_usd(text);
            assert_eq!(read, Some(NanoUsd(nano)), "{text}");
            assert_eq!(read.and_then(|usd| NanoUsd::parse_usd(&usd.to_usd())), read);
        }
        for text in ["", ".", "1.", ".5", "-1", "1e3", "0.0000000001", "9007199.254740992", "1,5", "٣"] {
            assert_eq!(NanoUsd::parse_usd(text), None, "{text}");
        }
    }

    #[test]
    fn sums_stop_at_the_ceiling() {
        assert_eq!(Tokens::new(u64::MAX), Tokens(CEILING));
        assert_eq!(Tokens(CEILING).plus(Tokens(CEILING)), Tokens(CEILING));
        assert_eq!(Tokens(3).times(u64::MAX), Tokens(CEILING));
        assert_eq!(Tokens(3).minus(Tokens(4)), Tokens::ZERO);
    }
}
