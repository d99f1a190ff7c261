//! A count of tokens, as providers write it: read as far as it makes sense.
//!
//! | written                               | read                                       |
//! |---------------------------------------|--------------------------------------------|
//! | `12`, `12.0`, `1.2e1`, `"12"`         | 12                                         |
//! | `18446744073709551616`, `1e400`       | the most that there is: for bounds to judge |
//! | `-1`, `1.5`, `1e-1`, `true`, `[]`     | nothing: as if it were not told            |

use crate::units::Tokens;
use serde_json::Value;

/// The digits that no count of tokens has, however large.
const DIGITS_MAX: i64 = 20;

/// The tokens that a JSON value counts; `None` where it makes no sense.
pub(crate) fn of(value: Option<&Value>) -> Option<Tokens> {
    match value? {
        Value::Number(number) => parse(&number.to_string()),
        Value::String(text) => parse(text),
        _ => None,
    }
}

/// The tokens that a JSON value counts, as it is written.
pub(crate) fn of_raw(raw: &[u8]) -> Option<Tokens> {
    let text = str::from_utf8(raw).ok()?;
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    parse(quoted.unwrap_or(text))
}

/// The whole number that `text` is, held down to [`CEILING`](crate::units::CEILING).
fn parse(text: &str) -> Option<Tokens> {
    if let Ok(count) = text.parse::<u64>()
        && !text.starts_with('+')
    {
        return Some(Tokens::new(count));
    }
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let power = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if whole.is_empty() || power.is_empty() || ![whole, fraction, power].into_iter().all(is_digits) {
        return None;
    }
    let power = power.parse::<i64>().unwrap_or(i64::MAX);
    let power = if exponent.starts_with('-') { power.saturating_neg() } else { power };
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some(Tokens::ZERO);
    }
    let length = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX);
    // What of the digits stands before the point.
    let before = length(digits).saturating_sub(length(fraction)).saturating_add(power);
    if before > DIGITS_MAX {
        return Some(Tokens::new(u64::MAX));
    }
    let before = usize::try_from(before).ok()?;
    let (whole, fraction) = digits.split_at_checked(before).unwrap_or((digits, ""));
    if !fraction.bytes().all(|byte| byte == b'0') {
        return None;
    }
    Some(Tokens::new(format!("{whole:0<before$}").parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::CEILING;

    #[test]
    fn a_count_is_read_as_far_as_it_makes_sense() {
        for (written, tokens) in [
            ("0", Some(0)),
            ("12", Some(12)),
            ("12.0", Some(12)),
            ("12.000", Some(12)),
            ("1.2e1", Some(12)),
            ("1e3", Some(1_000)),
            ("1E+3", Some(1_000)),
            ("1200e-2", Some(12)),
            ("0.012e3", Some(12)),
            ("0e400", Some(0)),
            ("0.0", Some(0)),
            ("\"12\"", Some(12)),
            ("\"1.2e1\"", Some(12)),
            ("1000000000000", Some(1_000_000_000_000)),
            ("9007199254740993", Some(CEILING)),
            ("18446744073709551616", Some(CEILING)),
            ("99999999999999999999999", Some(CEILING)),
            ("1e400", Some(CEILING)),
            ("1e99999999999999999999", Some(CEILING)),
            ("-1", None),
            ("-0", None),
            ("1.5", None),
            ("1e-1", None),
            ("1e-400", None),
            ("1e-99999999999999999999", None),
            ("null", None),
            ("true", None),
            ("[1]", None),
            ("{}", None),
            ("\"\"", None),
            ("\"twelve\"", None),
            ("\"-1\"", None),
            ("+1", None),
            ("1e", None),
            (".5", None),
            ("", None),
        ] {
            let tokens = tokens.map(Tokens::new);
            assert_eq!(of_raw(written.as_bytes()), tokens, "{written}");
            if let Ok(value) = serde_json::from_str::<Value>(written) {
                assert_eq!(of(Some(&value)), tokens, "{written}");
            }
        }
    }
}
