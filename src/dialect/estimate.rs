//! Estimates the tokens of an answer by its bytes, for a bill without a usage.
//!
//! Every text of an answer counts, whatever its member is called: models learn to say new things before anybody here reads
//! of them. Not counted are the members that name or describe what is said.

use super::skim::{Cursor, Text};
use crate::units::Tokens;
use memchr::memmem;

/// The bytes for one token of what is signed, sealed or cited. The sealed thoughts of OpenAI and of Anthropic have 8 to 11 for
/// each token that was thought; sources are read and not written, but some of their words are.
const SEALED_BYTES: u64 = 16;
/// The bytes of base64 for one token of sound or of a picture. A second of sound is billed 20 tokens, and has 5,000 to
/// 64,000 bytes; a picture is billed 270 to 4,200, and has 100,000 to 3,000,000.
const MEDIA_BYTES: u64 = 1_024;
/// The length from which a text may hold media.
const MEDIA_BYTES_MIN: usize = 64;

/// What a text in an answer is, as far as its tokens are concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No output: a name, an id, padding.
    Nothing,
    /// Words, of people or of machines.
    #[default]
    Text,
    /// What is opaque, and what is quoted.
    Sealed,
    /// Sound and pictures in base64.
    Media,
}

/// The bytes that were said, by their kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    text: u64,
    sealed: u64,
    media: u64,
}

/// Estimates the tokens of a piece of text `bytes` long.
///
/// Providers mostly send a chunk for each token, and few tokens are longer than 16 bytes: a short
/// piece is one token. A longer one is several, of four bytes each.
pub const fn estimate(bytes: usize) -> Tokens {
    piece(bytes as u64)
}

const fn piece(bytes: u64) -> Tokens {
    match bytes {
        0 => Tokens::ZERO,
        1..=16 => Tokens::new(1),
        _ => Tokens::new(bytes.div_ceil(4)),
    }
}

impl Kind {
    /// What the text of the member `key` is.
    pub(crate) fn of(key: &[u8]) -> Self {
        match key {
            b"id"
            | b"type"
            | b"object"
            | b"role"
            | b"index"
            | b"status"
            | b"model"
            | b"event_id"
            | b"item_id"
            | b"response_id"
            | b"call_id"
            | b"tool_call_id"
            | b"tool_use_id"
            | b"toolUseId"
            | b"responseId"
            | b"modelVersion"
            | b"finish_reason"
            | b"native_finish_reason"
            | b"finishReason"
            | b"stop_reason"
            | b"stopReason"
            | b"stop_sequence"
            | b"system_fingerprint"
            | b"service_tier"
            | b"obfuscation"
            | b"p"
            | b"token"
            | b"mime_type"
            | b"mimeType"
            | b"media_type"
            | b"format"
            | b"language"
            | b"outcome"
            | b"phase"
            | b"modality"
            | b"severity"
            | b"detail"
            | b"provider"
            | b"created_at"
            | b"createTime" => Self::Nothing,
            b"signature" | b"thoughtSignature" | b"thought_signature" | b"encrypted_content" | b"encrypted_index"
            | b"redactedContent" | b"reasoning_opaque" | b"url" | b"uri" | b"title" | b"cited_text" | b"snippet" => {
                Self::Sealed
            }
            b"data" | b"audio" | b"b64_json" | b"partial_image_b64" | b"image" | b"video" => Self::Media,
            _ => Self::Text,
        }
    }
}

impl Kind {
    /// [`Kind::of`] within a citation.
    pub(crate) fn of_source(key: &[u8]) -> Self {
        if Self::of(key) == Self::Nothing { Self::Nothing } else { Self::Sealed }
    }

    /// [`Kind::of`] within a thought, whose data is sealed.
    pub(crate) fn of_thought(key: &[u8]) -> Self {
        if key == b"data" { Self::Sealed } else { Self::of(key) }
    }
}

impl Said {
    /// Adds so many bytes of a text.
    pub(crate) fn add(&mut self, kind: Kind, bytes: usize) {
        let sum = match kind {
            Kind::Nothing => return,
            Kind::Text => &mut self.text,
            Kind::Sealed => &mut self.sealed,
            Kind::Media => &mut self.media,
        };
        *sum = sum.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// Adds a text. Media that is written into words counts as media.
    pub(crate) fn add_text(&mut self, kind: Kind, text: Text<'_>) {
        let (length, raw) = (text.len(), text.raw);
        let may = matches!(kind, Kind::Text | Kind::Sealed) && length >= MEDIA_BYTES_MIN;
        let within = may.then(|| memmem::find(raw, b";base64,")).flatten();
        let words = within.unwrap_or(length).min(length);
        self.add(if within.is_some() { Kind::Media } else { kind }, length.saturating_sub(words));
        self.add(kind, words);
    }

    /// Adds every text in the value that comes next, the member `key` of its object. `of` tells what the text of a member is.
    pub(crate) fn add_value<'a>(
        &mut self,
        cursor: &mut Cursor<'a>,
        key: &'a [u8],
        of: impl Fn(&[u8]) -> Kind,
    ) -> Option<()> {
        cursor.texts(key, |key, text| self.add_text(of(key), text))
    }

    /// Adds the object that comes next, a call of a tool: its member `input` is what the tool is passed, written by the model
    /// with all its names.
    pub(crate) fn add_call(&mut self, cursor: &mut Cursor<'_>, input: &[u8], of: impl Fn(&[u8]) -> Kind) -> Option<()> {
        if cursor.peek()? != b'{' {
            return self.add_value(cursor, b"", of);
        }
        cursor.object(|cursor, key| {
            if key.name != input || cursor.peek()? == b'"' {
                return self.add_value(cursor, key.name, &of);
            }
            let input = cursor.value()?;
            self.add(if matches!(input, b"{}" | b"null") { Kind::Nothing } else { Kind::Text }, input.len());
            Some(())
        })
    }

    /// Both together.
    pub(crate) const fn plus(self, other: Self) -> Self {
        Self {
            text: self.text.saturating_add(other.text),
            sealed: self.sealed.saturating_add(other.sealed),
            media: self.media.saturating_add(other.media),
        }
    }

    /// The one of the two that has more tokens.
    pub(crate) fn max(self, other: Self) -> Self {
        if other.whole() > self.whole() { other } else { self }
    }

    /// Its tokens, where it is one piece of a stream.
    pub(crate) const fn piece(self) -> Tokens {
        piece(self.text).plus(self.unread())
    }

    /// Its tokens, where it is all that was said.
    pub(crate) const fn whole(self) -> Tokens {
        Tokens::new(self.text.div_ceil(4)).plus(self.unread())
    }

    /// Whether nothing was said.
    pub(crate) const fn is_empty(self) -> bool {
        self.text == 0 && self.sealed == 0 && self.media == 0
    }

    const fn unread(self) -> Tokens {
        Tokens::new(self.sealed.div_ceil(SEALED_BYTES).saturating_add(self.media.div_ceil(MEDIA_BYTES)))
    }
}
