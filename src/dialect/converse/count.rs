//! Counts what an answer says, for a bill without a usage.

use crate::dialect::estimate::{Kind, Said};
use crate::dialect::openai::usage::members;
use crate::dialect::skim::Cursor;

/// What the event called `event` says.
pub(in crate::dialect) fn count_frame(event: Option<&[u8]>, data: &[u8]) -> Said {
    let mut said = Said::default();
    // What cannot be read adds nothing.
    let _ = match event.unwrap_or_default() {
        b"contentBlockStart" => {
            let [start] = members(data, ["start"]);
            said.add_value(&mut Cursor::new(start), b"", Kind::of)
        }
        b"contentBlockDelta" => {
            let [delta] = members(data, ["delta"]);
            let is_source = members(delta, ["citation"]) != [b""];
            let of = if is_source { Kind::of_source } else { Kind::of };
            said.add_value(&mut Cursor::new(delta), b"", of)
        }
        b"messageStart" | b"contentBlockStop" | b"messageStop" | b"metadata" | b"error" => None,
        event if event.ends_with(b"Exception") => None,
        _ => said.add_value(&mut Cursor::new(data), b"", Kind::of),
    };
    said
}

/// What a whole answer says.
pub(in crate::dialect) fn count_answer(body: &[u8]) -> Said {
    let mut said = Said::default();
    let [output] = members(body, ["output"]);
    let [message] = members(output, ["message"]);
    let [content] = members(message, ["content"]);
    let _ = Cursor::new(content).array(|cursor| {
        cursor.object(|cursor, key| match key.name {
            b"toolUse" => said.add_call(cursor, b"input", Kind::of),
            name => said.add_value(cursor, name, Kind::of),
        })
    });
    said
}
