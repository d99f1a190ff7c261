//! Where what is said is from: `groundingMetadata`.
//!
//! A segment is told in bytes, of the part that `partIndex` names. What has no index, or one of a part that has no such
//! place, is a segment of all that is said, as Google's guides read it and streams have it.

use crate::chat::Citation;
use serde_json::{Map, Value, json};

/// A citation, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cited {
    /// The index of its part.
    pub(super) part: usize,
    pub(super) start: usize,
    pub(super) end: usize,
    /// The citation, without its place.
    pub(super) citation: Citation,
}

/// Reads what `grounding` has of citations.
pub(super) fn read(grounding: &Value) -> Vec<Cited> {
    let list = |name: &str| grounding.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let chunks: Vec<Option<Citation>> = list("groundingChunks").iter().map(read_chunk).collect();
    let mut all = Vec::new();
    for support in list("groundingSupports") {
        let Some(segment) = support.get("segment") else { continue };
        let place = |name: &str| {
            segment.get(name).and_then(Value::as_u64).and_then(|at| usize::try_from(at).ok()).unwrap_or_default()
        };
        let indices = support.get("groundingChunkIndices").and_then(Value::as_array);
        for index in indices.map(Vec::as_slice).unwrap_or_default() {
            let index = index.as_u64().and_then(|index| usize::try_from(index).ok());
            let chunk = index.and_then(|index| chunks.get(index)).cloned().flatten();
            all.extend(chunk.map(|citation| Cited {
                part: place("partIndex"),
                start: place("startIndex"),
                end: place("endIndex"),
                citation,
            }));
        }
    }
    all
}

/// Writes citations, each with the words that it is about. The words of what is cited have no place.
pub(super) fn write(all: &[(Cited, &str)]) -> Option<Value> {
    if all.is_empty() {
        return None;
    }
    let (mut chunks, mut supports): (Vec<Value>, Vec<(&Cited, Value)>) = (Vec::new(), Vec::new());
    for (cited, words) in all {
        let chunk = json!({"web": {"uri": cited.citation.url, "title": cited.citation.title}});
        let index = chunks.iter().position(|known| *known == chunk).unwrap_or(chunks.len());
        if index == chunks.len() {
            chunks.push(chunk);
        }
        let place = |cited: &Cited| (cited.part, cited.start, cited.end);
        let last = supports.last_mut().filter(|(last, _)| place(last) == place(cited));
        let indices = last.and_then(|(_, support)| support.get_mut("groundingChunkIndices")?.as_array_mut());
        match indices {
            Some(indices) => indices.push(index.into()),
            None => {
                let support = json!({"segment": segment(cited, words), "groundingChunkIndices": [index]});
                supports.push((cited, support));
            }
        }
    }
    let supports: Vec<Value> = supports.into_iter().map(|(_, support)| support).collect();
    Some(json!({"groundingChunks": chunks, "groundingSupports": supports}))
}

/// How many characters of `text` begin before the byte `at`.
pub(super) fn characters(text: &str, at: usize) -> u64 {
    let before = text.char_indices().take_while(|(place, _)| *place < at).count();
    u64::try_from(before).unwrap_or(u64::MAX)
}

/// How many bytes the first `characters` of `text` have.
pub(super) fn bytes(text: &str, characters: u64) -> usize {
    let nth = usize::try_from(characters).unwrap_or(usize::MAX);
    text.char_indices().nth(nth).map_or(text.len(), |(place, _)| place)
}

/// Protobuf leaves out what is zero.
fn segment(cited: &Cited, words: &str) -> Value {
    let mut segment = Map::new();
    let places = [("partIndex", cited.part), ("startIndex", cited.start), ("endIndex", cited.end)];
    let told = places.into_iter().filter(|(_, place)| *place > 0);
    segment.extend(told.map(|(name, place)| (name.to_owned(), place.into())));
    segment.insert("text".to_owned(), words.into());
    segment.into()
}

/// What a chunk is of: a page, what a file search found, or a place on a map.
fn read_chunk(chunk: &Value) -> Option<Citation> {
    let of = ["web", "retrievedContext", "maps"].into_iter().find_map(|kind| chunk.get(kind))?;
    let text = |name: &str| of.get(name).and_then(Value::as_str).map(str::to_owned);
    let url = text("uri")?;
    Some(Citation { url, title: text("title").unwrap_or_default(), quote: text("text"), start: 0, end: 0 })
}
