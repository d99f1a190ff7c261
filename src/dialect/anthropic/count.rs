//! Counts what an answer says, for a bill without a usage.

use crate::dialect::estimate::{Kind, Said};
use crate::dialect::openai::usage::members;
use crate::dialect::skim::Cursor;

/// What the frame with this `data` says.
pub(in crate::dialect) fn count_frame(data: &[u8]) -> Said {
    let mut said = Said::default();
    let [kind, delta, block, message] = members(data, ["type", "delta", "content_block", "message"]);
    // What cannot be read adds nothing.
    let _ = match kind {
        b"\"content_block_delta\"" => {
            let is_source = members(delta, ["citation"]) != [b""];
            let of = if is_source { Kind::of_source } else { Kind::of };
            said.add_value(&mut Cursor::new(delta), b"delta", of)
        }
        b"\"content_block_start\"" => add_block(&mut said, &mut Cursor::new(block)),
        b"\"message_start\"" => {
            said = count_answer(message);
            None
        }
        b"\"message_delta\"" | b"\"message_stop\"" | b"\"content_block_stop\"" | b"\"ping\"" | b"\"error\"" => None,
        _ => said.add_value(&mut Cursor::new(data), b"", Kind::of),
    };
    said
}

/// What a whole answer says.
pub(in crate::dialect) fn count_answer(body: &[u8]) -> Said {
    let mut said = Said::default();
    let [content] = members(body, ["content"]);
    let _ = Cursor::new(content).array(|cursor| add_block(&mut said, cursor));
    said
}

/// Adds a block of content. What a tool of the provider's found is read by the model, not written.
fn add_block(said: &mut Said, cursor: &mut Cursor<'_>) -> Option<()> {
    let block = cursor.value()?;
    let [kind] = members(block, ["type"]);
    let of = match kind {
        b"\"redacted_thinking\"" => Kind::of_thought,
        kind if kind.ends_with(b"_tool_result\"") => Kind::of_source,
        _ => Kind::of,
    };
    said.add_call(&mut Cursor::new(block), b"input", of)
}
