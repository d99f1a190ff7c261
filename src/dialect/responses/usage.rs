//! What an answer used.

use crate::chat::Usage;
use crate::dialect::tokens;
use crate::units::Tokens;
use serde_json::{Value, json};

/// Reads the object `usage`; `None` where it counts neither input nor output.
///
/// Parts never say more than their whole; of too much, those count first that are dearer. What is kept for twelve hours
/// counts as kept for an hour, the longest that others have.
pub(super) fn read(usage: &Value) -> Option<Usage> {
    let (input, output) = (tokens::of(usage.get("input_tokens")), tokens::of(usage.get("output_tokens")));
    if input.is_none() && output.is_none() {
        return None;
    }
    let (input, output) = (input.unwrap_or_default(), output.unwrap_or_default());
    let count = |value: Option<&Value>| tokens::of(value).unwrap_or_default();
    let detail = |details: &str, name: &str| count(usage.get(details).and_then(|it| it.get(name)));
    let written = detail("input_tokens_details", "cache_write_tokens");
    let lives = usage.get("input_tokens_details").and_then(|it| it.get("cache_write_tokens_details"));
    let long = count(lives.and_then(|it| it.get("ttl_12h_tokens")));
    let mut rest = input;
    let cache_write_hour = take(&mut rest, long);
    let cache_write = take(&mut rest, written.minus(long));
    let cached_input = take(&mut rest, detail("input_tokens_details", "cached_tokens"));
    let reasoning = detail("output_tokens_details", "reasoning_tokens").min(output);
    Some(Usage { input, cached_input, cache_write, cache_write_hour, output, reasoning, ..Usage::default() })
}

/// Writes it. Sound has no place here, and what is written to a cache is one number.
pub(super) fn write(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input.get(),
        "input_tokens_details": {
            "cached_tokens": usage.cached_input.get(),
            "cache_write_tokens": usage.cache_write.plus(usage.cache_write_hour).get(),
        },
        "output_tokens": usage.output.get(),
        "output_tokens_details": {"reasoning_tokens": usage.reasoning.get()},
        "total_tokens": usage.input.plus(usage.output).get(),
    })
}

/// Takes up to `tokens` from what is left of the whole.
fn take(rest: &mut Tokens, tokens: Tokens) -> Tokens {
    let taken = tokens.min(*rest);
    *rest = rest.minus(taken);
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_usage_are_never_more_than_their_whole() {
        for (written, [input, cached, minutes, hour, output, reasoning]) in [
            (json!({"input_tokens": 9, "output_tokens": 4, "total_tokens": 13}), [9, 0, 0, 0, 4, 0]),
            (
                json!({"input_tokens": 9, "input_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 2},
                    "output_tokens": 4, "output_tokens_details": {"reasoning_tokens": 3}}),
                [9, 5, 2, 0, 4, 3],
            ),
            (
                json!({"input_tokens": 9.0, "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 5,
                    "cache_write_tokens_details": {"ttl_12h_tokens": 3, "ttl_30m_tokens": 2}},
                    "output_tokens": 4, "output_tokens_details": {"reasoning_tokens": 5}}),
                [9, 4, 2, 3, 4, 4],
            ),
            (json!({"input_tokens": 1, "input_tokens_details": null, "output_tokens": 0}), [1, 0, 0, 0, 0, 0]),
        ] {
            let [input, cached_input, cache_write, cache_write_hour, output, reasoning] =
                [input, cached, minutes, hour, output, reasoning].map(Tokens::new);
            let wanted =
                Usage { input, cached_input, cache_write, cache_write_hour, output, reasoning, ..Usage::default() };
            assert_eq!(read(&written), Some(wanted), "{written}");
        }
        for garbage in [json!(null), json!([]), json!({"input_tokens": "nine"}), json!({"tokens": 9})] {
            assert_eq!(read(&garbage), None, "{garbage}");
        }
    }
}
