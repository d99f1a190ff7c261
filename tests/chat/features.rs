//! What a request uses, counted apart from the dialects.

use serde_json::Number;
use tollgate::chat::{Cache, Feature, Features, Format, Media, Part, Request, ToolChoice, Used};

/// The features that `request` uses.
pub(crate) fn features(request: &Request) -> Features {
    let sampling = &request.sampling;
    let mut all = Vec::new();
    let mut note = |feature: Feature, is_used: bool| all.extend(is_used.then_some(feature));
    note(Feature::Tools, !request.tools.is_empty());
    note(Feature::FreeTools, request.tools.iter().any(|tool| tool.free));
    note(Feature::ToolChoice, request.tool_choice.as_ref().is_some_and(|choice| *choice != ToolChoice::Auto));
    note(Feature::SingleTools, request.parallel_tools == Some(false));
    note(Feature::JsonObject, request.format == Format::Json);
    note(Feature::JsonSchema, matches!(request.format, Format::Schema { .. }));
    note(Feature::Reasoning, request.reasoning.is_some());
    note(Feature::Choices, request.choices > 1);
    note(Feature::TopK, sampling.top_k.is_some());
    note(Feature::Seed, sampling.seed.is_some());
    // A penalty of zero is none.
    let penalty = |number: &Option<Number>| number.as_ref().is_some_and(|number| number.as_f64() != Some(0.0));
    note(Feature::Penalties, penalty(&sampling.frequency_penalty) || penalty(&sampling.presence_penalty));
    note(Feature::Logprobs, sampling.logprobs.is_some());
    note(Feature::Stop, !request.stop.is_empty());
    note(Feature::User, request.user.is_some());
    note(Feature::Names, request.messages.iter().any(|message| message.name.is_some()));
    note(Feature::CacheControl, request.tools.iter().any(|tool| tool.cache.is_some()));
    for part in request.messages.iter().flat_map(|message| &message.parts) {
        of_part(part, &mut note);
    }
    Features::of(&all)
}

fn of_part(part: &Part, note: &mut dyn FnMut(Feature, bool)) {
    let mut cached = |cache: &Option<Cache>| note(Feature::CacheControl, cache.is_some());
    match part {
        Part::Text(text) => cached(&text.cache),
        Part::Image { media, detail, cache } => {
            cached(cache);
            note(Feature::Detail, detail.is_some());
            note(of_media(media, Feature::Images, Feature::ImageUrls), true);
        }
        Part::File { media, cache, .. } => {
            cached(cache);
            note(of_media(media, Feature::Files, Feature::FileUrls), true);
        }
        Part::Audio { .. } => note(Feature::Audio, true),
        Part::Thought(_) => note(Feature::Thoughts, true),
        Part::ToolResult(result) => {
            cached(&result.cache);
            note(Feature::ToolErrors, result.failed);
            note(Feature::ToolMedia, result.parts.iter().any(|part| !matches!(part, Part::Text(_))));
            result.parts.iter().for_each(|part| of_part(part, note));
        }
        Part::ToolCall(_) | Part::Refusal(_) => {}
    }
}

const fn of_media(media: &Media, inline: Feature, url: Feature) -> Feature {
    match media {
        Media::Inline { .. } => inline,
        Media::Url { .. } => url,
        Media::Stored(_) => Feature::StoredMedia,
    }
}

/// What `used` has that `request` does not, and the other way round.
pub(crate) fn wrongly_noted(request: &Request, used: &Used) -> Vec<(Feature, &'static str)> {
    let wanted = features(request);
    let noted = Features::of(&used.iter().map(|(feature, _)| feature).collect::<Vec<_>>());
    let wrong = |feature: &Feature| match (wanted.has(*feature), noted.has(*feature)) {
        (true, false) => Some((*feature, "is not noted")),
        (false, true) => Some((*feature, "is noted and not used")),
        _ => None,
    };
    Feature::ALL.iter().filter_map(wrong).collect()
}

/// What may go with `feature` when that is taken out of a request: what stands in it, or on it.
pub(crate) const fn goes_with(feature: Feature) -> &'static [Feature] {
    use Feature::*;
    match feature {
        Tools => &[FreeTools, ToolChoice, SingleTools, CacheControl],
        FreeTools => &[Tools, ToolChoice, SingleTools, CacheControl],
        ToolMedia => &[Images, ImageUrls, Files, FileUrls, StoredMedia, Detail],
        Images | ImageUrls | StoredMedia => &[ToolMedia, Detail, CacheControl, Names],
        Files | FileUrls => &[ToolMedia, CacheControl, Names],
        Audio | Thoughts => &[Names],
        _ => &[],
    }
}
