//! Which ids an answer tells of what its provider keeps: of the answer itself, of its items, of containers and sounds.
//!
//! Only where an answer says them itself they count, never where it repeats what its request said, as in `metadata`.

use super::Reach;
use crate::bound::Shape;
use crate::dialect::Endpoint;
use crate::dialect::names::{text, word};
use crate::dialect::skim::Cursor;
use memchr::memmem;

/// The most ids of one answer that are remembered, and the most bytes of one.
const IDS_MAX: usize = 256;
const ID_BYTES_MAX: usize = 500;
/// The most that is looked at of a native answer: what it has made stands at its beginning.
const NATIVE_BYTES_MAX: usize = 64 * 1_024;

/// Where in a JSON text an id stands; `[]` is for each element of a list.
type Path = &'static [&'static str];

const STORED: [Path; 5] =
    [&["id"], &["response", "id"], &["output", "[]", "id"], &["response", "output", "[]", "id"], &["item", "id"]];
const CONTAINERS: [Path; 6] = [
    &["output", "[]", "container_id"],
    &["response", "output", "[]", "container_id"],
    &["item", "container_id"],
    &["container", "id"],
    &["message", "container", "id"],
    &["delta", "container", "id"],
];
const SOUNDS: [Path; 2] = [&["choices", "[]", "message", "audio", "id"], &["choices", "[]", "delta", "audio", "id"]];
const WHOLE: [Path; 1] = [&["id"]];
/// What an event holds that can tell such an id.
const MARKS: [&[u8]; 7] = [
    b"output_item.",
    b"response.created",
    b"response.completed",
    b"response.incomplete",
    b"container",
    b"\"audio\"",
    b"\"chat.completion",
];

/// How Google names what it keeps, and where.
const NAMES: [Path; 4] = [&["name"], &["uri"], &["file", "name"], &["file", "uri"]];

/// The collections in which a thing's name is its id; elsewhere clients give things names as they like.
const GOOGLES: [&str; 10] = [
    "files",
    "batches",
    "cachedContents",
    "corpora",
    "tunedModels",
    "fileSearchStores",
    "operations",
    "batchPredictionJobs",
    "tuningJobs",
    "ragCorpora",
];

/// The ids that one answer has told of so far.
#[derive(Debug)]
pub struct Made {
    paths: Vec<Path>,
    ids: Vec<String>,
    /// The collection that a native call adds to, and the first bytes of its answer.
    native: Option<(String, Vec<u8>)>,
}

impl Made {
    /// What an answer of `endpoint` can tell of; `None`: its provider keeps nothing of it.
    pub fn of(endpoint: Endpoint, reach: &Reach, shape: &Shape) -> Option<Self> {
        let mut paths: Vec<Path> = Vec::new();
        match endpoint {
            Endpoint::Responses if reach.store != Some(false) => paths.extend(STORED),
            Endpoint::Chat if reach.store == Some(true) => paths.extend(WHOLE),
            _ => {}
        }
        match endpoint {
            Endpoint::Responses | Endpoint::Messages if shape.unbounded => paths.extend(CONTAINERS),
            Endpoint::Chat if shape.kinds.audio_output => paths.extend(SOUNDS),
            _ => {}
        }
        (!paths.is_empty()).then_some(Self { paths, ids: Vec::new(), native: None })
    }

    /// What the answer of a native call can tell of that adds to `collection`; `None`: its provider keeps nothing of it.
    pub fn in_collection(collection: &str, reach: &Reach) -> Option<Self> {
        let keeps = match collection {
            "completions" => reach.store == Some(true),
            "responses" | "interactions" | "conversations" => reach.store != Some(false),
            _ => true,
        };
        let mut paths = [&STORED[..], &CONTAINERS].concat();
        if GOOGLES.iter().any(|one| one.eq_ignore_ascii_case(collection)) {
            paths.extend(NAMES);
        }
        keeps.then(|| Self { paths, ids: Vec::new(), native: Some((collection.to_owned(), Vec::new())) })
    }

    /// What the answer of a native call tells of the thing that it looks at.
    pub fn look() -> Self {
        Self { paths: Vec::new(), ids: Vec::new(), native: Some((String::new(), Vec::new())) }
    }

    /// The beginning of that answer.
    pub fn beginning(&self) -> &[u8] {
        self.native.as_ref().map_or(&[], |(_, held)| held.as_slice())
    }

    /// Takes the next bytes of a native call's answer, of which the first are looked at.
    pub fn push(&mut self, chunk: &[u8]) {
        if let Some((_, held)) = &mut self.native {
            let room = NATIVE_BYTES_MAX.saturating_sub(held.len());
            held.extend(chunk.iter().take(room));
        }
    }

    /// Looks at a whole answer.
    pub fn answer(&mut self, body: &[u8]) {
        // Text that is no JSON ends the walk: what was found until there counts.
        let _ = find(&mut Cursor::new(body), &self.paths, &mut self.ids);
    }

    /// Looks at an event's data.
    pub fn event(&mut self, data: &[u8]) {
        if MARKS.iter().any(|mark| memmem::find(data, mark).is_some()) {
            self.answer(data);
        }
    }

    /// The ids, each once.
    pub fn take(&mut self) -> Vec<String> {
        if let Some((collection, held)) = self.native.take() {
            self.answer(&held);
            for line in held.split(|byte| *byte == b'\n') {
                line.strip_prefix(b"data:").into_iter().for_each(|data| self.answer(data));
            }
            // The name says its collection.
            let named = format!("{}/", collection.to_ascii_lowercase());
            self.ids.retain(|id| !id.contains('/') || id.to_ascii_lowercase().starts_with(&named));
        }
        std::mem::take(&mut self.ids)
    }
}

/// Whether an answer tells that the work it is of goes on behind it.
pub fn goes_on(body: &[u8]) -> bool {
    status(body).is_some_and(|status| matches!(status.as_str(), "queued" | "in_progress"))
}

/// Whether the beginning of an answer tells that the work it is of has ended; and whether it failed, for which nobody pays.
pub fn has_ended(body: &[u8]) -> Option<bool> {
    match status(body)?.as_str() {
        "failed" => Some(true),
        "completed" | "incomplete" | "cancelled" => Some(false),
        _ => None,
    }
}

fn status(body: &[u8]) -> Option<String> {
    let mut found = Vec::new();
    // What comes behind it need not be there.
    let _ = find(&mut Cursor::new(body), &[&["status"]], &mut found);
    found.into_iter().next()
}

/// Steps over a value, and adds the texts that stand at `paths` in it.
fn find(cursor: &mut Cursor<'_>, paths: &[Path], ids: &mut Vec<String>) -> Option<()> {
    let below = |step: &dyn Fn(&str) -> bool| -> Vec<Path> {
        let split = paths.iter().filter_map(|path| path.split_first());
        split.filter(|(first, _)| step(first)).map(|(_, rest)| rest).collect()
    };
    match cursor.peek()? {
        b'{' => cursor.object(|cursor, key| {
            let rest = below(&|first| word(key.name, &[first]).is_some());
            if rest.is_empty() { cursor.value().map(drop) } else { find(cursor, &rest, ids) }
        }),
        b'[' => {
            let rest = below(&|first| first == "[]");
            if rest.is_empty() { cursor.value().map(drop) } else { cursor.array(|cursor| find(cursor, &rest, ids)) }
        }
        b'"' => {
            let raw = cursor.string()?.raw;
            if paths.iter().any(|path| path.is_empty()) && (1..=ID_BYTES_MAX).contains(&raw.len()) {
                let id = super::canonical(&text(raw));
                if ids.len() < IDS_MAX && !ids.contains(&id) {
                    ids.push(id);
                }
            }
            Some(())
        }
        _ => cursor.value().map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(endpoint: Endpoint, asked: &str, answers: &[&str]) -> Vec<String> {
        let envelope = crate::dialect::Envelope::read(endpoint, asked.as_bytes()).unwrap();
        let Some(mut made) = Made::of(endpoint, &envelope.reach, &envelope.shape) else {
            return vec!["nothing is kept".to_owned()];
        };
        answers.iter().for_each(|answer| made.event(answer.as_bytes()));
        made.take()
    }

    #[test]
    fn a_response_that_is_stored_tells_its_id_and_those_of_its_items_and_repeats_none_of_the_request() {
        let asked = r#"{"model":"m","input":"x"}"#;
        let created = r#"{"type":"response.created","response":{"id":"resp_1","metadata":{"id":"resp_2"},"prompt":{"id":"pmpt_1"},
            "previous_response_id":"resp_0","conversation":{"id":"conv_1"},"output":[]}}"#;
        let item = r#"{"type":"response.output_item.done","item":{"id":"msg_1","content":[{"id":"no"}]}}"#;
        let delta = r#"{"type":"response.output_text.delta","item":{"id":"not looked at"},"delta":"x"}"#;
        let done =
            r#"{"type":"response.completed","response":{"id":"resp_1","output":[{"id":"rs_1"},{"id":"msg_1"},7]}}"#;
        assert_eq!(made(Endpoint::Responses, asked, &[created, item, delta, done]), ["resp_1", "msg_1", "rs_1"]);
        let kept = r#"{"model":"m","input":"x","store":null}"#;
        assert_eq!(made(Endpoint::Responses, kept, &[created]), ["resp_1"]);
    }

    #[test]
    fn what_is_not_stored_is_not_remembered_and_a_container_is_all_the_same() {
        let asked = r#"{"model":"m","input":"x","store":false}"#;
        assert_eq!(made(Endpoint::Responses, asked, &[]), ["nothing is kept"]);
        let hosted = r#"{"model":"m","input":"x","store":false,"tools":[{"type":"code_interpreter","container":{"type":"auto"}}]}"#;
        let item = r#"{"type":"response.output_item.done","item":{"id":"ci_1","container_id":"cntr_1"}}"#;
        assert_eq!(made(Endpoint::Responses, hosted, &[item]), ["cntr_1"]);
        let chat = |members: &str| format!(r#"{{"model":"m","max_tokens":9,"messages":[]{members}}}"#);
        let sound =
            r#"{"object":"chat.completion.chunk","id":"chatcmpl-1","choices":[{"delta":{"audio":{"id":"audio_1"}}}]}"#;
        assert_eq!(made(Endpoint::Chat, &chat(""), &[]), ["nothing is kept"]);
        assert_eq!(made(Endpoint::Chat, &chat(r#","audio":{"voice":"a"}"#), &[sound]), ["audio_1"]);
        assert_eq!(made(Endpoint::Chat, &chat(r#","store":true"#), &[sound]), ["chatcmpl-1"]);
        let message = r#"{"id":"msg_1","container":{"id":"container_1"}}"#;
        assert_eq!(made(Endpoint::Messages, &chat(""), &[]), ["nothing is kept"]);
        let runs = chat(r#","tools":[{"type":"code_execution_20250825","name":"c"}]"#);
        assert_eq!(made(Endpoint::Messages, &runs, &[message]), ["container_1"]);
    }
}
