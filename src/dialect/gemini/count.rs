//! Counts what an answer says, for a bill without a usage.

use crate::dialect::estimate::{Kind, Said};
use crate::dialect::openai::usage::members;
use crate::dialect::skim::Cursor;

/// What the frame with this `data` says.
pub(in crate::dialect) fn count_frame(data: &[u8]) -> Said {
    let names = ["candidates", "usageMetadata", "promptFeedback", "error"];
    if members(data, names).iter().any(|member| !member.is_empty()) {
        return count_answer(data);
    }
    let mut said = Said::default();
    let _ = said.add_value(&mut Cursor::new(data), b"", Kind::of);
    said
}

/// What a whole answer says.
pub(in crate::dialect) fn count_answer(body: &[u8]) -> Said {
    let mut said = Said::default();
    let [candidates] = members(body, ["candidates"]);
    // What cannot be read adds nothing.
    let _ = Cursor::new(candidates).array(|cursor| {
        cursor.object(|cursor, key| match key.name {
            b"content" => add_content(&mut said, cursor),
            // Chunks tell again what those before told of the sources.
            b"groundingMetadata" | b"citationMetadata" | b"urlContextMetadata" => {
                said.add(Kind::Sealed, usize::from(cursor.value()?.len() > b"{}".len()));
                Some(())
            }
            b"safetyRatings" | b"finishMessage" | b"logprobsResult" => cursor.value().map(drop),
            name => said.add_value(cursor, name, Kind::of),
        })
    });
    said
}

fn add_content(said: &mut Said, cursor: &mut Cursor<'_>) -> Option<()> {
    let [parts] = members(cursor.value()?, ["parts"]);
    Cursor::new(parts).array(|cursor| {
        cursor.object(|cursor, key| match key.name {
            b"functionCall" => said.add_call(cursor, b"args", Kind::of),
            name => said.add_value(cursor, name, Kind::of),
        })
    })
}
