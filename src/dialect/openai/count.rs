//! Counts the output of a whole answer that tells no usage.

use super::chunk::{Spoken, spoken_len, text_len};
use crate::dialect::skim::Cursor;
use crate::units::Tokens;

/// An estimate of the output of a whole answer: of what its messages or texts say, a token for four bytes.
pub fn count_answer(body: &[u8]) -> Tokens {
    let mut bytes: usize = 0;
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
                    b"message" => bytes = bytes.saturating_add(spoken_len(cursor, Spoken::Whole)?),
                    b"text" => bytes = bytes.saturating_add(text_len(cursor, 0)?),
                    _ => drop(cursor.value()?),
                }
                Some(())
            })
        })
    });
    Tokens::new(u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX))
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
            assert_eq!(count_answer(body.as_bytes()).get(), tokens, "{choices}");
        }
        assert_eq!(count_answer(br#"{"choices":[{"message":{"content":"0123"#), Tokens::ZERO);
        assert_eq!(count_answer(b""), Tokens::ZERO);
    }
}
