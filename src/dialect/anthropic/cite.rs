//! Where a text is from: here a citation belongs to a whole block, and a text that has some is several blocks.

use crate::chat::{Citation, Text};
use serde_json::{Value, json};

/// Reads a citation of the block that is the characters `start..end` of its text; `None`: it is of no page of the web.
pub(super) fn read(citation: &Value, start: u64, end: u64) -> Option<Citation> {
    let text = |name: &str| citation.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    if text("type") != "web_search_result_location" {
        return None;
    }
    let quote = Some(text("cited_text")).filter(|quote| !quote.is_empty());
    Some(Citation { url: text("url"), title: text("title"), quote, start, end })
}

/// Writes a citation. What its search calls it only Anthropic knows.
pub(super) fn write(citation: &Citation) -> Value {
    json!({
        "type": "web_search_result_location",
        "cited_text": citation.quote.as_deref().unwrap_or_default(),
        "url": citation.url,
        "title": citation.title,
        "encrypted_index": "",
    })
}

/// Writes a text as blocks, each with the citations of its stretch. Where stretches overlap, the later one is only as long
/// as is left of it; one that is nowhere belongs to what stands before it, or else to all of the text.
pub(super) fn write_text(text: &Text, blocks: &mut Vec<Value>) {
    let (mut rest, mut at) = (text.text.as_str(), 0_u64);
    let mut cited: Vec<(String, Vec<Value>)> = Vec::new();
    let mut last = None;
    for citation in &text.citations {
        let stretch = (citation.start, citation.end);
        let is_known = last == Some(stretch) || citation.end <= at;
        if let Some((_, citations)) = cited.last_mut().filter(|_| is_known) {
            citations.push(write(citation));
            continue;
        }
        last = Some(stretch);
        let plain = take(&mut rest, &mut at, citation.start);
        if !plain.is_empty() {
            cited.push((plain, Vec::new()));
        }
        let end = if citation.end > citation.start { citation.end } else { u64::MAX };
        cited.push((take(&mut rest, &mut at, end), vec![write(citation)]));
    }
    if !rest.is_empty() {
        cited.push((rest.to_owned(), Vec::new()));
    }
    let cited = cited.into_iter().filter(|(text, _)| !text.is_empty());
    blocks.extend(cited.map(|(text, citations)| {
        match citations.as_slice() {
            // Where there is none, Anthropic's own SDKs want a null and others do not take one: both take nothing.
            [] => json!({"type": "text", "text": text}),
            citations => json!({"type": "text", "text": text, "citations": citations}),
        }
    }));
}

/// Takes what stands before the character `end` from `rest`, which begins at the character `at`.
fn take(rest: &mut &str, at: &mut u64, end: u64) -> String {
    let wanted = usize::try_from(end.saturating_sub(*at)).unwrap_or(usize::MAX);
    let bytes = rest.char_indices().nth(wanted).map_or(rest.len(), |(place, _)| place);
    let (taken, left) = rest.split_at_checked(bytes).unwrap_or((rest, ""));
    *at = at.saturating_add(count(taken));
    *rest = left;
    taken.to_owned()
}

/// How many characters `text` has.
pub(super) fn count(text: &str) -> u64 {
    u64::try_from(text.chars().count()).unwrap_or(u64::MAX)
}
