//! `usageMetadata`: the tokens of a call.

use crate::chat::Usage;
use crate::dialect::tokens;
use crate::units::Tokens;
use serde_json::{Map, Value, json};

/// Reads a usage; `None` where it counts nothing.
///
/// What was thought, and what the provider's own tools put into the prompt, is counted beside the rest. Output is whatever
/// the total has above the input, where that is more. The sound in `promptTokensDetails` may have been cached: then it is
/// sound here, for it is the dearer.
pub(super) fn read(usage: &Value) -> Option<Usage> {
    let count = |name: &str| tokens::of(usage.get(name)).unwrap_or_default();
    let sound = |name: &str| sound(usage.get(name));
    let input = count("promptTokenCount").plus(count("toolUsePromptTokenCount"));
    let thought = count("thoughtsTokenCount");
    let said = count("candidatesTokenCount").plus(thought);
    let output = said.max(count("totalTokenCount").minus(input));
    if input == Tokens::ZERO && output == Tokens::ZERO {
        return usage.get("totalTokenCount").map(|_| Usage::default());
    }
    let audio_input = sound("promptTokensDetails").min(input);
    let cached_sound = sound("cacheTokensDetails");
    let cached = count("cachedContentTokenCount").minus(cached_sound);
    let audio_output = sound("candidatesTokensDetails").min(output);
    Some(Usage {
        input,
        cached_input: cached.min(input.minus(audio_input)),
        audio_input,
        output,
        reasoning: thought.min(output.minus(audio_output)),
        audio_output,
        ..Usage::default()
    })
}

/// Writes a usage. What was written to a cache is told by no one here.
pub(super) fn write(usage: Usage) -> Value {
    let Usage { input, cached_input, audio_input, output, reasoning, audio_output, .. } = usage;
    let said = output.minus(reasoning);
    let mut members = Map::from_iter([("promptTokenCount".to_owned(), input.get().into())]);
    let mut put = |name: &str, tokens: Tokens| {
        members.extend((tokens > Tokens::ZERO).then(|| (name.to_owned(), tokens.get().into())));
    };
    put("cachedContentTokenCount", cached_input);
    put("candidatesTokenCount", said);
    put("thoughtsTokenCount", reasoning);
    members.insert("totalTokenCount".to_owned(), input.plus(output).get().into());
    let details = [("promptTokensDetails", input, audio_input), ("candidatesTokensDetails", said, audio_output)];
    for (name, all, sound) in details.into_iter().filter(|(_, _, sound)| *sound > Tokens::ZERO) {
        let kinds = [("TEXT", all.minus(sound)), ("AUDIO", sound)];
        let kinds = kinds.into_iter().filter(|(_, tokens)| *tokens > Tokens::ZERO);
        let details = kinds.map(|(kind, tokens)| json!({"modality": kind, "tokenCount": tokens.get()}));
        members.insert(name.to_owned(), details.collect::<Vec<_>>().into());
    }
    members.into()
}

/// The tokens of sound among `details`.
fn sound(details: Option<&Value>) -> Tokens {
    let details = details.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let sound = details.iter().filter(|detail| detail.get("modality").is_some_and(|kind| kind == "AUDIO"));
    sound.filter_map(|detail| tokens::of(detail.get("tokenCount"))).fold(Tokens::ZERO, Tokens::plus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_beside_the_rest_is_added() {
        for (told, [input, cached, sound, output, thought]) in [
            (json!({"promptTokenCount": 12, "candidatesTokenCount": 3, "totalTokenCount": 15}), [12, 0, 0, 3, 0]),
            (
                json!({"promptTokenCount": 27, "candidatesTokenCount": 45, "thoughtsTokenCount": 31,
                    "toolUsePromptTokenCount": 10_309, "totalTokenCount": 10_412}),
                [10_336, 0, 0, 76, 31],
            ),
            (json!({"promptTokenCount": 10, "totalTokenCount": 60}), [10, 0, 0, 50, 0]),
            (
                json!({"promptTokenCount": 100, "cachedContentTokenCount": 90, "candidatesTokenCount": 1,
                    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 60}, {"modality": "AUDIO", "tokenCount": 40}],
                    "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 30}]}),
                [100, 60, 40, 1, 0],
            ),
        ] {
            let usage = read(&told).unwrap();
            let counts = [usage.input, usage.cached_input, usage.audio_input, usage.output, usage.reasoning];
            assert_eq!(counts.map(Tokens::get), [input, cached, sound, output, thought], "{told}");
            assert_eq!(read(&write(usage)), Some(usage), "{told}");
        }
        assert_eq!((read(&json!({})), read(&json!(7))), (None, None));
    }
}
