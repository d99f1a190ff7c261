//! The end of a stream that the gateway stops: what the provider would have sent, had it reached its
//! own cap there.

use super::answer::write_usage;
use crate::chat::Usage;
use crate::dialect::Endpoint;
use crate::dialect::skim::Cursor;

/// The most bytes that are kept of one member of a chunk.
const MEMBER_BYTES_MAX: usize = 512;
/// What the chunks of one stream have in common.
const COMMON: [&[u8]; 6] = [b"id", b"object", b"created", b"model", b"service_tier", b"system_fingerprint"];

/// What all chunks of a stream begin with: its id, model and the like, as JSON members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    members: String,
    /// Chunks without a usage say so: `"usage":null`.
    usage_null: bool,
    /// Its choices are texts, not messages.
    is_text: bool,
}

impl Heading {
    /// Reads it from a chunk; `None` where that is no JSON object of text. What is overlong in it is left out.
    /// `show_usage`: the client asked for its usage.
    pub fn read(data: &[u8], show_usage: bool) -> Option<Self> {
        let (mut members, mut usage_null, mut is_text) = (Vec::new(), false, false);
        Cursor::new(data).object(|cursor, key| {
            let value = cursor.value()?;
            if COMMON.contains(&key.name) && value.len() <= MEMBER_BYTES_MAX {
                members.push(b'"');
                members.extend_from_slice(key.name);
                members.extend_from_slice(b"\":");
                members.extend_from_slice(value);
                members.push(b',');
            }
            usage_null |= show_usage && key.name == b"usage";
            is_text |= key.name == b"object" && value == br#""text_completion""#;
            Some(())
        })?;
        Some(Self { members: String::from_utf8(members).ok()?, usage_null, is_text })
    }

    /// The heading of a stream of `endpoint` that said nothing yet. `created` is in seconds since 1970.
    pub fn new(endpoint: Endpoint, id: &str, created: u64, model: &str) -> Self {
        let prefix = if endpoint == Endpoint::Completions { "cmpl" } else { "chatcmpl" };
        Self::named(endpoint, &format!("{prefix}-{id}"), created, model)
    }

    /// The heading of a stream whose id is known.
    pub(super) fn named(endpoint: Endpoint, id: &str, created: u64, model: &str) -> Self {
        let is_text = endpoint == Endpoint::Completions;
        let object = if is_text { "text_completion" } else { "chat.completion.chunk" };
        let (id, model) = (quoted(id), quoted(model));
        let members = format!(r#""id":{id},"object":"{object}","created":{created},"model":{model},"#);
        Self { members, usage_null: false, is_text }
    }

    /// The same, of a stream whose client asked for its usage, or did not.
    pub(super) fn showing(self, usage: bool) -> Self {
        Self { usage_null: usage, ..self }
    }

    /// The same, in the form of `other`: that of the endpoint that was called, where a chunk did not tell it.
    #[must_use]
    pub fn like(self, other: &Self) -> Self {
        Self { is_text: other.is_text, ..self }
    }

    /// The chunk that begins the choice 0.
    pub fn begin(&self) -> String {
        self.begin_choice(0)
    }

    /// The chunk that ends the choice `index`: it has reached its length.
    pub fn finish(&self, index: u32) -> String {
        self.choice(index, if self.is_text { r#""text":"""# } else { r#""delta":{}"# }, "null", "length")
    }

    /// The chunk that begins the choice `index`.
    pub(super) fn begin_choice(&self, index: u32) -> String {
        let delta = if self.is_text { r#""text":"""# } else { r#""delta":{"role":"assistant","content":""}"# };
        self.choice(index, delta, "null", "")
    }

    /// A chunk of the choice `index`: `said` is its delta or its text, as a JSON member; `finish` is why it ends, empty
    /// where it does not.
    pub(super) fn choice(&self, index: u32, said: &str, logprobs: &str, finish: &str) -> String {
        let usage = if self.usage_null { r#","usage":null"# } else { "" };
        let finish = if finish.is_empty() { "null".to_owned() } else { quoted(finish) };
        self.chunk(&format!(
            r#""choices":[{{"index":{index},{said},"logprobs":{logprobs},"finish_reason":{finish}}}]{usage}"#
        ))
    }

    /// The chunk that holds the usage alone.
    pub fn usage(&self, usage: Usage) -> String {
        self.chunk(&format!(r#""choices":[],"usage":{}"#, write_usage(usage)))
    }

    fn chunk(&self, rest: &str) -> String {
        format!("data: {{{}{rest}}}\n\n", self.members)
    }
}

/// `text` as JSON. Strings cannot fail.
pub(super) fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Tokens;

    #[test]
    fn a_chunk_has_the_heading_of_its_stream() {
        let first = r#"{"id":"x\"1","object":"chat.completion.chunk","created":17,"x_groq":{"id":1},"choices":[{"index":0}],
            "model":"m","service_tier":null,"system_fingerprint":"fp","usage":null,"obfuscation":"a"}"#;
        let heading = Heading::read(first.as_bytes(), true).unwrap();
        let common = r#"{"id":"x\"1","object":"chat.completion.chunk","created":17,"model":"m","service_tier":null,"system_fingerprint":"fp","#;
        assert_eq!(
            heading.finish(3),
            format!(
                "data: {common}{}\n\n",
                r#""choices":[{"index":3,"delta":{},"logprobs":null,"finish_reason":"length"}],"usage":null}"#
            )
        );
        let unasked = Heading::read(first.as_bytes(), false).unwrap();
        assert!(unasked.finish(0).ends_with("\"finish_reason\":\"length\"}]}\n\n"));
        let usage =
            Usage { input: Tokens::new(9), cached_input: Tokens::new(4), output: Tokens::new(5), ..Usage::default() };
        assert_eq!(
            heading.usage(usage),
            format!(
                "data: {common}{}\n\n",
                r#""choices":[],"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":4}}}"#
            )
        );
    }

    #[test]
    fn a_heading_is_bounded() {
        let model = "m".repeat(600);
        let heading = Heading::read(format!(r#"{{"id":"x","model":"{model}","choices":[]}}"#).as_bytes(), true);
        assert_eq!(heading.map(|heading| heading.members), Some(r#""id":"x","#.to_owned()));
        assert_eq!(Heading::read(b"[DONE]", true), None);
    }

    #[test]
    fn a_stream_that_said_nothing_is_begun() {
        let heading = Heading::new(Endpoint::Chat, "1-2", 17, "a\"b");
        assert_eq!(
            heading.begin(),
            concat!(
                r#"data: {"id":"chatcmpl-1-2","object":"chat.completion.chunk","created":17,"model":"a\"b","#,
                r#""choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}"#,
                "\n\n"
            )
        );
    }

    #[test]
    fn a_text_comes_to_its_length_as_a_text() {
        let first = r#"{"id":"x","object":"text_completion","choices":[{"index":0,"text":"a"}]}"#;
        let end = r#""choices":[{"index":1,"text":"","logprobs":null,"finish_reason":"length"}]}"#;
        let text = format!("data: {{\"id\":\"x\",\"object\":\"text_completion\",{end}\n\n");
        assert_eq!(Heading::read(first.as_bytes(), true).unwrap().finish(1), text);
        let new = Heading::new(Endpoint::Completions, "1", 17, "m");
        assert!(new.begin().contains(r#""id":"cmpl-1","object":"text_completion","created":17,"model":"m","#));
        let nameless = Heading::read(br#"{"id":"x"}"#, true).unwrap().like(&new);
        assert_eq!(nameless.finish(1), format!("data: {{\"id\":\"x\",{end}\n\n"));
    }
}
