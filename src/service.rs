//! How a call is served, as far as its price depends on it: by which service, and what the provider's own tools did.
//!
//! A request asks for it, an answer tells it; [`tariff`](crate::tariff) says what it costs. The words are the providers' own.

use crate::units::NanoUsd;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The most bytes of a word.
pub const WORD_BYTES_MAX: usize = 24;

/// The words of each kind that cost no more than the standard service where a price says nothing of them: the standard one
/// itself, what is paid for beforehand (`scale`, `provisioned`, `reserved`), and what is cheaper (`flex`, `batch`).
const NO_DEARER: [&str; 12] = [
    "standard",
    "default",
    "standard_only",
    "on_demand",
    "unspecified",
    "flex",
    "batch",
    "scale",
    "provisioned",
    "reserved",
    "global",
    "not_available",
];

/// A provider's word for a service, in small letters; empty: none was said.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word([u8; WORD_BYTES_MAX]);

/// How a call is to be served, or was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Service {
    /// The service tier: `priority`, `flex`, `batch`.
    #[serde(skip_serializing_if = "Word::is_empty")]
    pub tier: Word,
    /// How fast: `fast`.
    #[serde(skip_serializing_if = "Word::is_empty")]
    pub speed: Word,
    /// Where: `us`.
    #[serde(skip_serializing_if = "Word::is_empty")]
    pub region: Word,
    /// At which latency: `optimized`.
    #[serde(skip_serializing_if = "Word::is_empty")]
    pub latency: Word,
    /// How good: the quality of a picture, how much of what a search finds is read.
    #[serde(skip_serializing_if = "Word::is_empty")]
    pub quality: Word,
    /// By whom, of several behind one address.
    #[serde(skip_serializing_if = "Word::is_empty")]
    pub route: Word,
    /// What the provider's own tools did.
    pub uses: Uses,
    /// Some of the answer is from the web: a search, where those have a fee, though nobody counts it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cited: bool,
    /// What the provider says that the call cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<NanoUsd>,
}

/// How often the provider's own tools were used, of which each use costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[u64; 5]", into = "[u64; 5]")]
pub struct Uses {
    /// Searches of the web.
    pub searches: u64,
    /// Searches of files that are kept at the provider.
    pub file_searches: u64,
    /// Containers in which code ran.
    pub containers: u64,
    /// Pictures that were made on the way.
    pub images: u64,
    /// Tools that are not known here.
    pub others: u64,
}

impl Word {
    /// What stands for a word that is too long, or is none.
    pub const STRANGE: Self = {
        let mut bytes = [0; WORD_BYTES_MAX];
        if let Some(first) = bytes.first_mut() {
            *first = b'?';
        }
        Self(bytes)
    };

    /// The word that `text` is.
    pub fn of(text: &str) -> Self {
        let (text, mut bytes) = (text.trim(), [0; WORD_BYTES_MAX]);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
        match bytes.get_mut(..text.len()) {
            Some(place) if text.bytes().all(plain) => {
                place.copy_from_slice(text.to_ascii_lowercase().as_bytes());
                Self(bytes)
            }
            _ => Self::STRANGE,
        }
    }

    /// The word as text.
    pub fn as_str(&self) -> &str {
        let length = self.0.iter().position(|byte| *byte == 0).unwrap_or(WORD_BYTES_MAX);
        self.0.get(..length).and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// This word, or else `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if self.is_empty() { other } else { self }
    }

    /// Whether the service may cost more than the standard one.
    pub fn is_dearer(&self) -> bool {
        !self.is_empty() && !NO_DEARER.contains(&self.as_str())
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl Serialize for Word {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_str().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::of(&text))
    }
}

impl From<[u64; 5]> for Uses {
    fn from([searches, file_searches, containers, images, others]: [u64; 5]) -> Self {
        Self { searches, file_searches, containers, images, others }
    }
}

impl From<Uses> for [u64; 5] {
    fn from(Uses { searches, file_searches, containers, images, others }: Uses) -> Self {
        [searches, file_searches, containers, images, others]
    }
}

impl Uses {
    /// Of each tool the more frequent use.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        let mut most: [u64; 5] = self.into();
        most.iter_mut().zip(<[u64; 5]>::from(other)).for_each(|(most, other)| *most = other.max(*most));
        most.into()
    }

    /// The sum of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let mut sum: [u64; 5] = self.into();
        sum.iter_mut().zip(<[u64; 5]>::from(other)).for_each(|(sum, other)| *sum = sum.saturating_add(other));
        sum.into()
    }
}

impl Service {
    /// One of which nothing is said.
    pub const UNTOLD: Self = {
        let word = Word([0; WORD_BYTES_MAX]);
        let uses = Uses { searches: 0, file_searches: 0, containers: 0, images: 0, others: 0 };
        let (cited, cost) = (false, None);
        Self { tier: word, speed: word, region: word, latency: word, quality: word, route: word, uses, cited, cost }
    };

    /// Whether nothing is said of it.
    pub fn is_untold(&self) -> bool {
        *self == Self::UNTOLD
    }

    /// Its words, each with whether it may cost more than the standard service where its price is not known.
    pub fn words(&self) -> impl Iterator<Item = (Word, bool)> {
        let Self { tier, speed, region, latency, quality, route, .. } = *self;
        let services = [tier, speed, region, latency].map(|word| (word, word.is_dearer()));
        // What these cost is in the tokens or in the call's price, unless a price knows the word.
        let looks = [quality, route].map(|word| (word, false));
        services.into_iter().chain(looks).filter(|(word, _)| !word.is_empty())
    }

    /// Takes up what is said later: the last word counts, and the highest count.
    pub fn add(&mut self, later: Self) {
        *self = later.over(*self);
    }

    /// What an answer that tells this is billed by, where `asked` was asked for. What it is silent about it may have done as
    /// asked; what it tells counts, be it less than that.
    #[must_use]
    pub fn over(self, asked: Self) -> Self {
        Self {
            tier: self.tier.or(asked.tier),
            speed: self.speed.or(asked.speed),
            region: self.region.or(asked.region),
            latency: self.latency.or(asked.latency),
            quality: self.quality.or(asked.quality),
            route: self.route.or(asked.route),
            uses: self.uses.max(asked.uses),
            cited: self.cited || asked.cited,
            cost: self.cost.or(asked.cost),
        }
    }

    /// Whether it costs what the standard service does, whatever the price: nothing in it has a price of its own.
    pub fn is_standard(&self) -> bool {
        let standard =
            |(word, _): (Word, bool)| matches!(word.as_str(), "standard" | "default" | "on_demand" | "global");
        self.words().all(standard) && self.uses == Uses::default() && !self.cited && self.cost.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_itself_in_small_letters_or_strange() {
        for (text, word) in [
            ("priority", "priority"),
            (" ON_DEMAND ", "on_demand"),
            ("mistral/eu", "mistral/eu"),
            ("", ""),
            ("two words", "?"),
            ("a-word-that-is-far-too-long", "?"),
            ("\u{e9}", "?"),
            ("a\0b", "?"),
        ] {
            assert_eq!(Word::of(text).as_str(), word, "{text}");
        }
        assert!(Word::STRANGE.is_dearer() && !Word::default().is_dearer());
    }

    #[test]
    fn what_an_answer_tells_counts_and_what_it_is_silent_about_is_as_asked() {
        let tier = |word: &str| Service { tier: Word::of(word), ..Service::default() };
        let searched = |searches: u64| Service { uses: Uses { searches, ..Uses::default() }, ..Service::default() };
        for (asked, told, billed) in [
            (tier("priority"), tier("default"), tier("default")),
            (tier("priority"), tier(""), tier("priority")),
            (tier(""), tier("priority"), tier("priority")),
            (searched(1), searched(0), searched(1)),
            (searched(1), searched(3), searched(3)),
        ] {
            assert_eq!(told.over(asked), billed, "{asked:?} {told:?}");
        }
        let mut said = tier("priority");
        said.add(tier("flex"));
        said.add(searched(2));
        assert_eq!(said, Service { tier: Word::of("flex"), ..searched(2) });
    }

    #[test]
    fn what_a_peer_says_is_read_as_it_was() {
        let service = Service {
            tier: Word::of("priority"),
            region: Word::of("us"),
            uses: Uses { searches: 3, others: 1, ..Uses::default() },
            cost: Some(NanoUsd::new(7)),
            ..Service::default()
        };
        let text = serde_json::to_string(&service).unwrap();
        assert_eq!(text, r#"{"tier":"priority","region":"us","uses":[3,0,0,0,1],"cost":7}"#);
        assert_eq!(serde_json::from_str::<Service>(&text).unwrap(), service);
        assert_eq!(serde_json::from_str::<Service>("{}").unwrap(), Service::default());
    }
}
