//! What a request uses that not everyone can do, and where it stands in the client's words.

use super::{Format, Media, Part, Request, ToolChoice};
use serde::{Deserialize, Serialize};

macro_rules! features {
    ($($(#[$doc:meta])* $name:ident $text:literal,)*) => {
        /// Something that a request can use and a target may not be able to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Feature {
            $($(#[$doc])* $name,)*
        }

        impl Feature {
            /// All there are.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// What a catalog calls it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

features! {
    /// Images in messages, inline.
    Images "images",
    /// Images by their address.
    ImageUrls "image_urls",
    /// Sound in messages.
    Audio "audio",
    /// Files in messages, inline.
    Files "files",
    /// Files by their address.
    FileUrls "file_urls",
    /// Media that the provider keeps, by its id.
    StoredMedia "stored_media",
    /// Images or files in the results of tools.
    ToolMedia "tool_media",
    /// Tools.
    Tools "tools",
    /// Tools that take free text.
    FreeTools "free_tools",
    /// A tool that must be called.
    ToolChoice "tool_choice",
    /// No two tools at once.
    SingleTools "single_tools",
    /// That a result of a tool is an error: its words say so, too.
    ToolErrors "tool_errors",
    /// JSON without a schema.
    JsonObject "json_object",
    /// JSON of a schema.
    JsonSchema "json_schema",
    /// Reasoning that is turned up or down.
    Reasoning "reasoning",
    /// More than one answer.
    Choices "choices",
    /// `top_k`.
    TopK "top_k",
    /// `seed`.
    Seed "seed",
    /// `frequency_penalty`, `presence_penalty`.
    Penalties "penalties",
    /// Log probabilities.
    Logprobs "logprobs",
    /// Stop sequences.
    Stop "stop",
    /// Names of those who speak.
    Names "names",
    /// Something that the answer depends on and only the client's own dialect can say.
    Foreign "foreign",
    /// What is to be cached: the answer does not depend on it.
    CacheControl "cache_control",
    /// How closely images are looked at.
    Detail "detail",
    /// The end user.
    User "user",
    /// Thoughts of earlier answers.
    Thoughts "thoughts",
    /// Something that only the client's own dialect can say, and the answer does not depend on.
    Hint "hint",
}

impl Feature {
    /// The feature that a catalog calls `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|feature| feature.name() == name)
    }

    /// Whether the answer hardly depends on it: then it may always be dropped, by name.
    pub const fn is_hint(self) -> bool {
        matches!(self, Self::CacheControl | Self::Detail | Self::User | Self::Thoughts | Self::ToolErrors | Self::Hint)
    }
}

/// A set of features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Features(u64);

impl Features {
    /// These.
    pub fn of(features: &[Feature]) -> Self {
        features.iter().fold(Self::default(), |set, feature| set.with(*feature))
    }

    /// Those of this set and `feature`.
    #[must_use]
    pub const fn with(self, feature: Feature) -> Self {
        Self(self.0 | 1 << feature as u64)
    }

    /// Those of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `feature` is among them.
    pub const fn has(self, feature: Feature) -> bool {
        self.0 & (1 << feature as u64) != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// The features that a request uses, each with the path where it was first seen, in the client's words:
/// `messages[2].content[0].image_url`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Used(Vec<(Feature, String)>);

impl Used {
    /// Notes a feature at `path`. Of those that only one dialect can say every path is kept, of others the first.
    pub fn note(&mut self, feature: Feature, path: impl Into<String>) {
        let every = matches!(feature, Feature::Foreign | Feature::Hint);
        if every || !self.0.iter().any(|(seen, _)| *seen == feature) {
            self.0.push((feature, path.into()));
        }
    }

    /// Features and paths, in the order in which they were seen.
    pub fn iter(&self) -> impl Iterator<Item = (Feature, &str)> {
        self.0.iter().map(|(feature, path)| (*feature, path.as_str()))
    }
}

impl Request {
    /// Takes `feature` out of the request.
    pub fn drop_feature(&mut self, feature: Feature) {
        let sampling = &mut self.sampling;
        match feature {
            Feature::Tools => {
                (self.tools, self.tool_choice, self.parallel_tools) = (Vec::new(), None, None);
            }
            Feature::FreeTools => self.drop_free_tools(),
            Feature::ToolChoice => self.tool_choice = None,
            Feature::SingleTools => self.parallel_tools = None,
            Feature::JsonObject => self.drop_format(|format| *format == Format::Json),
            Feature::JsonSchema => self.drop_format(|format| matches!(format, Format::Schema { .. })),
            Feature::Reasoning => self.reasoning = None,
            Feature::Choices => self.choices = 1,
            Feature::TopK => sampling.top_k = None,
            Feature::Seed => sampling.seed = None,
            Feature::Penalties => (sampling.frequency_penalty, sampling.presence_penalty) = (None, None),
            Feature::Logprobs => sampling.logprobs = None,
            Feature::Stop => self.stop.clear(),
            Feature::User => self.user = None,
            Feature::Names => {
                self.messages.iter_mut().for_each(|message| message.name = None);
                self.say_again();
            }
            Feature::Foreign | Feature::Hint => {}
            _ => self.drop_parts(feature),
        }
    }

    fn drop_format(&mut self, is_it: impl FnOnce(&Format) -> bool) {
        if is_it(&self.format) {
            self.format = Format::Text;
        }
    }

    fn drop_parts(&mut self, feature: Feature) {
        if feature == Feature::CacheControl {
            self.tools.iter_mut().for_each(|tool| tool.cache = None);
        }
        for message in &mut self.messages {
            message.parts.retain_mut(|part| keeps(part, feature));
        }
        self.say_again();
    }

    /// Brings the messages to their one form: none is empty, and neighbours that may be one are.
    fn say_again(&mut self) {
        for message in std::mem::take(&mut self.messages) {
            if !message.parts.is_empty() {
                self.say(message);
            }
        }
    }

    /// Without the tools that take free text nothing is said of them.
    fn drop_free_tools(&mut self) {
        self.tools.retain(|tool| !tool.free);
        if self.tools.is_empty() {
            return self.drop_feature(Feature::Tools);
        }
        let is_there = |name: &str| self.tools.iter().any(|tool| tool.name == name);
        if matches!(&self.tool_choice, Some(ToolChoice::One(name)) if !is_there(name)) {
            self.tool_choice = None;
        }
    }
}

/// Whether `part` stays once `feature` is taken out of it.
fn keeps(part: &mut Part, feature: Feature) -> bool {
    match part {
        Part::ToolResult(result) => {
            result.failed &= feature != Feature::ToolErrors;
            result.cache = result.cache.filter(|_| feature != Feature::CacheControl);
            let media = feature == Feature::ToolMedia;
            result.parts.retain_mut(|part| (matches!(part, Part::Text(_)) || !media) && keeps(part, feature));
            true
        }
        Part::Thought(_) => feature != Feature::Thoughts,
        Part::Text(text) => {
            text.cache = text.cache.filter(|_| feature != Feature::CacheControl);
            true
        }
        Part::Image { media, detail, cache } => {
            *cache = cache.filter(|_| feature != Feature::CacheControl);
            *detail = detail.take().filter(|_| feature != Feature::Detail);
            stays(media, feature, Feature::Images, Feature::ImageUrls)
        }
        Part::File { media, cache, .. } => {
            *cache = cache.filter(|_| feature != Feature::CacheControl);
            stays(media, feature, Feature::Files, Feature::FileUrls)
        }
        Part::Audio { .. } => feature != Feature::Audio,
        Part::ToolCall(_) | Part::Refusal(_) => true,
    }
}

fn stays(media: &Media, feature: Feature, inline: Feature, url: Feature) -> bool {
    match media {
        Media::Inline { .. } => feature != inline,
        Media::Url { .. } => feature != url,
        Media::Stored(_) => feature != Feature::StoredMedia,
    }
}
