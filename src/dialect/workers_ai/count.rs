//! Counts what an answer says, for a bill without a usage.

use crate::dialect::estimate::{Kind, Said};
use crate::dialect::openai::count;
use crate::dialect::skim::Cursor;

/// What a whole answer says, or the data of a frame, in either form.
pub(in crate::dialect) fn count_answer(data: &[u8]) -> Said {
    let mut said = count::said(data);
    // What cannot be read adds nothing.
    let _ = Cursor::new(data).object(|cursor, key| match (key.name, cursor.peek()?) {
        (b"choices" | b"usage" | b"error" | b"errors", _) => cursor.value().map(drop),
        // An answer that is JSON is that, not a text.
        (b"response", b'{' | b'[') => {
            said.add(Kind::Text, cursor.value()?.len());
            Some(())
        }
        (b"tool_calls", b'[') => cursor.array(|cursor| said.add_call(cursor, b"arguments", Kind::of)),
        (name, _) => said.add_value(cursor, name, Kind::of),
    });
    said
}
