//! Tells whether a request asks its model to think, and how much, in the words of any dialect.
//!
//! Providers read each other's words, and servers have words of their own: what is said in any of them counts.

use super::openai::usage::{members, read_whole};
use super::skim::Cursor;
use crate::units::Tokens;

/// What a request says of thinking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Thinking {
    /// It asks for it.
    pub asked: bool,
    /// The most tokens that each answer may spend on it.
    pub budget: Option<Tokens>,
}

impl Thinking {
    /// Reads the request `body`.
    pub fn read(body: &[u8]) -> Self {
        let mut thinking = Self::default();
        // What cannot be read says nothing.
        let _ = Cursor::new(body).object(|cursor, key| {
            match key.name {
                b"reasoning_effort" | b"enable_thinking" | b"thinking_budget" => {
                    thinking.add(key.name, cursor.value()?)
                }
                b"reasoning" | b"thinking" | b"chat_template_kwargs" | b"output_config" => {
                    thinking.add_members(cursor.value()?);
                }
                b"generationConfig" | b"generation_config" => {
                    let configs = members(cursor.value()?, ["thinkingConfig", "thinking_config"]);
                    configs.into_iter().for_each(|config| thinking.add_members(config));
                }
                _ => drop(cursor.value()?),
            }
            Some(())
        });
        thinking
    }

    fn add_members(&mut self, object: &[u8]) {
        let _ = Cursor::new(object).object(|cursor, key| {
            self.add(key.name, cursor.value()?);
            Some(())
        });
    }

    fn add(&mut self, name: &[u8], value: &[u8]) {
        let budget = || str::from_utf8(value).ok().and_then(read_whole);
        match name {
            b"effort" | b"reasoning_effort" | b"type" | b"thinkingLevel" | b"thinking_level" => {
                self.asked |= !matches!(value, b"null" | b"\"none\"" | b"\"disabled\"");
            }
            b"enabled" | b"enable_thinking" | b"thinking" => self.asked |= value == b"true",
            b"budget_tokens" | b"max_tokens" | b"thinking_budget" | b"thinkingBudget" => {
                self.asked |= !matches!(value, b"null" | b"0");
                self.budget = budget().filter(|tokens| *tokens > 0).map(Tokens::new).max(self.budget);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_asks_to_think_in_the_words_of_any_dialect() {
        for (body, asked, budget) in [
            (r#"{"model":"m","messages":[{"reasoning_effort":"high"}],"metadata":{"effort":"high"}}"#, false, None),
            (r#"{"reasoning_effort":"low"}"#, true, None),
            (r#"{"reasoning_effort":"none"}"#, false, None),
            (r#"{"reasoning_effort":null}"#, false, None),
            (r#"{"reasoning":{"effort":"high","summary":"auto"}}"#, true, None),
            (r#"{"reasoning":{"max_tokens":2000}}"#, true, Some(2_000)),
            (r#"{"reasoning":{"enabled":false}}"#, false, None),
            (r#"{"thinking":{"type":"enabled","budget_tokens":1024}}"#, true, Some(1_024)),
            (r#"{"thinking":{"type":"adaptive"},"output_config":{"effort":"max"}}"#, true, None),
            (r#"{"thinking":{"type":"disabled"}}"#, false, None),
            (
                r#"{"generationConfig":{"thinkingConfig":{"thinkingBudget":512,"includeThoughts":true}}}"#,
                true,
                Some(512),
            ),
            (r#"{"generation_config":{"thinking_config":{"thinking_budget":0}}}"#, false, None),
            (r#"{"generationConfig":{"thinkingConfig":{"thinkingBudget":-1}}}"#, true, None),
            (r#"{"generationConfig":{"thinkingConfig":{"thinkingLevel":"HIGH"}}}"#, true, None),
            (r#"{"enable_thinking":true,"thinking_budget":300}"#, true, Some(300)),
            (r#"{"chat_template_kwargs":{"enable_thinking":true}}"#, true, None),
            (r#"{"chat_template_kwargs":{"thinking":false}}"#, false, None),
            (r#"{"reasoning_effort""#, false, None),
            ("", false, None),
        ] {
            let budget = budget.map(Tokens::new);
            assert_eq!(Thinking::read(body.as_bytes()), Thinking { asked, budget }, "{body}");
        }
    }
}
