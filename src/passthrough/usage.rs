//! Reads the usage of a native answer, in whatever words its provider tells it.

use crate::chat::Usage;
use crate::dialect::converse;
use crate::units::Tokens;
use serde_json::{Map, Value};

/// The usage that these members tell of; `None`: they count no tokens.
///
/// OpenAI and Gemini count what was cached within the input, Anthropic beside it.
pub(super) fn read(said: &Map<String, Value>) -> Option<Usage> {
    let has = |name: &str| said.get(name).is_some_and(Value::is_u64);
    if has("prompt_tokens") {
        return Usage::read(&serde_json::to_vec(said).ok()?);
    }
    if has("input_tokens") || has("output_tokens") {
        let beside =
            ["cache_read_input_tokens", "cache_creation_input_tokens"].iter().any(|name| said.contains_key(*name));
        return Some(if beside { read_anthropic(said) } else { read_openai(said) });
    }
    if has("promptTokenCount") || has("candidatesTokenCount") {
        return Some(read_gemini(said));
    }
    if has("inputTokens") {
        return converse::answer::read_usage(&said.clone().into());
    }
    // Rerankers and embedders count nothing but what they read.
    has("total_tokens").then(|| Usage { input: count(said.get("total_tokens")), ..Usage::default() })
}

/// As OpenAI's Responses, pictures and transcriptions tell it.
fn read_openai(said: &Map<String, Value>) -> Usage {
    let (input, output) = (count(said.get("input_tokens")), count(said.get("output_tokens")));
    let read_details = said.get("input_tokens_details").or_else(|| said.get("input_token_details"));
    let written_details = said.get("output_tokens_details").or_else(|| said.get("output_token_details"));
    let part = |details: Option<&Value>, name: &str| count(details.and_then(|details| details.get(name)));
    let audio_input = part(read_details, "audio_tokens").min(input);
    let cached_input = part(read_details, "cached_tokens").min(input.minus(audio_input));
    let audio_output = part(written_details, "audio_tokens").min(output);
    let reasoning = part(written_details, "reasoning_tokens").min(output.minus(audio_output));
    Usage { input, cached_input, audio_input, output, reasoning, audio_output, ..Usage::default() }
}

fn read_anthropic(said: &Map<String, Value>) -> Usage {
    let cached_input = count(said.get("cache_read_input_tokens"));
    let written = count(said.get("cache_creation_input_tokens"));
    let hour = said.get("cache_creation").and_then(|lifetimes| lifetimes.get("ephemeral_1h_input_tokens"));
    let cache_write_hour = count(hour).min(written);
    Usage {
        input: count(said.get("input_tokens")).plus(cached_input).plus(written),
        cached_input,
        cache_write: written.minus(cache_write_hour),
        cache_write_hour,
        output: count(said.get("output_tokens")),
        ..Usage::default()
    }
}

fn read_gemini(said: &Map<String, Value>) -> Usage {
    let of = |name: &str| count(said.get(name));
    let sound = |name: &str| {
        let details = said.get(name).and_then(Value::as_array).into_iter().flatten();
        let sound = details.filter(|one| one.get("modality").and_then(Value::as_str) == Some("AUDIO"));
        sound.fold(Tokens::ZERO, |sum, one| sum.plus(count(one.get("tokenCount"))))
    };
    let input = of("promptTokenCount").plus(of("toolUsePromptTokenCount"));
    let (said_out, reasoning) = (of("candidatesTokenCount"), of("thoughtsTokenCount"));
    let audio_input = sound("promptTokensDetails").min(input);
    Usage {
        input,
        cached_input: of("cachedContentTokenCount").min(input.minus(audio_input)),
        audio_input,
        output: said_out.plus(reasoning),
        reasoning,
        audio_output: sound("candidatesTokensDetails").min(said_out),
        ..Usage::default()
    }
}

/// A count; none where it makes no sense.
fn count(value: Option<&Value>) -> Tokens {
    Tokens::new(value.and_then(Value::as_u64).unwrap_or(0))
}
