//! Counts what an answer says, for a bill without a usage.

use crate::dialect::estimate::{Kind, Said};
use crate::dialect::openai::usage::members;
use crate::dialect::skim::Cursor;
use crate::units::Tokens;

/// Counts a stream. What is said bit by bit is said again when it is done: that counts only as far as it is more.
#[derive(Debug, Default)]
pub(in crate::dialect) struct Counter {
    /// All that was counted.
    total: Tokens,
    /// The tokens of the items that are done.
    items: Tokens,
    /// One of the items is a thought.
    pub(in crate::dialect) thinks: bool,
}

impl Counter {
    /// Counts what the frame with this `data` says.
    pub(in crate::dialect) fn count(&mut self, event: Option<&[u8]>, data: &[u8]) -> Tokens {
        let kind = type_of(data).or(event).unwrap_or_default();
        let kind = kind.strip_prefix(b"response.").unwrap_or(kind);
        let counted = match kind {
            b"output_item.done" => {
                let [item] = members(data, ["item"]);
                self.items = self.items.plus(count_item(item).whole());
                self.items.minus(self.total)
            }
            b"completed" | b"incomplete" | b"failed" | b"cancelled" => {
                let [response] = members(data, ["response"]);
                count_answer(response).whole().minus(self.total)
            }
            kind if kind.ends_with(b".done") => self.items.plus(count_all(data).whole()).minus(self.total),
            kind => {
                let [item] = members(data, ["item"]);
                self.thinks |= kind == b"output_item.added" && type_of(item) == Some(b"reasoning");
                count_bit(kind, data).piece()
            }
        };
        self.total = self.total.plus(counted);
        counted
    }
}

/// What a whole answer says.
pub(in crate::dialect) fn count_answer(body: &[u8]) -> Said {
    let mut said = Said::default();
    let [output] = members(body, ["output"]);
    // What cannot be read adds nothing.
    let _ = Cursor::new(output).array(|cursor| {
        said = said.plus(count_item(cursor.value()?));
        Some(())
    });
    said
}

/// What a frame of this `kind` says for the first time.
fn count_bit(kind: &[u8], data: &[u8]) -> Said {
    let mut said = Said::default();
    let [delta, item, annotation, error] = members(data, ["delta", "item", "annotation", "error"]);
    let _ = match kind {
        b"created" | b"queued" | b"in_progress" | b"error" => None,
        b"output_item.added" => {
            said = count_item(item);
            None
        }
        b"output_text.annotation.added" => said.add_value(&mut Cursor::new(annotation), b"", Kind::of_source),
        b"audio.delta" | b"output_audio.delta" => said.add_value(&mut Cursor::new(delta), b"", |_| Kind::Media),
        _ if !delta.is_empty() => said.add_value(&mut Cursor::new(delta), b"", Kind::of),
        // An error as the older dialect has it.
        b"" if !error.is_empty() => None,
        _ => {
            said = count_all(data);
            None
        }
    };
    said
}

/// What an item says. What a tool of the provider's found is read by the model, not written.
fn count_item(item: &[u8]) -> Said {
    let mut said = Said::default();
    let of: fn(&[u8]) -> Kind = match type_of(item).unwrap_or_default() {
        b"image_generation_call" => |key| if key == b"result" { Kind::Media } else { Kind::of(key) },
        b"file_search_call" | b"web_search_call" | b"mcp_list_tools" => Kind::of_source,
        _ => Kind::of,
    };
    let _ = said.add_value(&mut Cursor::new(item), b"", of);
    said
}

fn count_all(data: &[u8]) -> Said {
    let mut said = Said::default();
    let _ = said.add_value(&mut Cursor::new(data), b"", Kind::of);
    said
}

/// What the frame or the item says it is.
pub(super) fn type_of(data: &[u8]) -> Option<&[u8]> {
    let mut kind = None;
    // It mostly comes first: what is behind it is not looked at.
    let _ = Cursor::new(data).object(|cursor, key| {
        if key.name == b"type" {
            kind = cursor.string().map(|text| text.raw);
            return None;
        }
        cursor.value().map(drop)
    });
    kind
}
