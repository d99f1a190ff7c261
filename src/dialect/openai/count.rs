//! Counts what an answer says, for a bill without a usage.

use super::chunk::Spoken;
use crate::dialect::estimate::Said;
use crate::dialect::skim::Cursor;

/// What the messages, deltas or texts of an answer say, or of a chunk of one.
pub(in crate::dialect) fn said(body: &[u8]) -> Said {
    let mut said = Said::default();
    // What cannot be read adds nothing.
    let _ = Cursor::new(body).object(|cursor, key| {
        if key.name != b"choices" || cursor.peek()? != b'[' {
            return cursor.value().map(drop);
        }
        cursor.array(|cursor| {
            if cursor.peek()? != b'{' {
                return cursor.value().map(drop);
            }
            cursor.object(|cursor, key| {
                match key.name {
                    b"message" | b"delta" | b"text" => said = said.plus(Spoken::read(cursor)?.all()),
                    _ => drop(cursor.value()?),
                }
                Some(())
            })
        })
    });
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_answer_is_counted_by_what_its_messages_say() {
        for (choices, tokens) in [
            (r#"[{"index":0,"message":{"role":"assistant","content":"0123456789"},"finish_reason":"stop"}]"#, 3),
            (r#"[{"message":{"content":"01234567"}},{"message":{"content":"01234567"}}]"#, 4),
            (r#"[{"message":{"content":null,"refusal":"No.."}}]"#, 1),
            (r#"[{"message":{"reasoning_content":"01234567","reasoning":"01234567","content":"0123"}}]"#, 3),
            (r#"[{"message":{"tool_calls":[{"id":"x","function":{"name":"weather","arguments":"{}  {}  {"}}]}}]"#, 4),
            (r#"[{"message":{"content":[{"type":"text","text":"01234567"}]}}]"#, 2),
            (r#"[{"message":null},7,{"text":"01234567"},{"text":null}]"#, 2),
            ("{}", 0),
            ("null", 0),
        ] {
            let body = format!(r#"{{"id":"x","choices":{choices},"usage":{{"completion_tokens":1}}}}"#);
            assert_eq!(said(body.as_bytes()).whole().get(), tokens, "{choices}");
        }
        assert!(said(br#"{"choices":[{"message":{"content":"0123"#).is_empty());
        assert!(said(b"").is_empty());
    }
}
