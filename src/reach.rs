//! What a request reaches besides its own words: other models, what is kept at a provider, work behind its answer.
//!
//! A field of the body that does so is known by name, with the [reason why](why), and so are the members of whatever is not
//! understood that name something kept. What comes of them is for the tenant to say: where its target would be sent
//! them as they are, another model and work behind the answer are refused, and a kept thing passes if it is the tenant's own.
//!
//! Names count however they are spelt or escaped, and every one of like names counts.

use crate::dialect::Dialect;
use crate::dialect::names::{field, text};
use crate::dialect::skim::Cursor;
use serde::{Deserialize, Serialize};

mod made;
mod table;

pub use made::{Made, goes_on, has_ended};
pub use table::{Field, why};
pub(crate) use table::{IsId, is_asked, of_field, of_member};

/// The most things that a request may name.
pub const NAMED_MAX: usize = 1_024;
/// The most bytes of a name or an id that is told.
const TEXT_BYTES_MAX: usize = 512;

/// What a request reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reach {
    /// The first field of the body that asks for something without a bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unbounded: Option<String>,
    /// All that it names, each once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub named: Vec<Named>,
    /// It names more than [`NAMED_MAX`].
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub crowded: bool,
    /// What it is written in; nothing where no more is known than that it is JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dialect: Option<Dialect>,
    /// Whether the answer is to be kept, where it says so.
    #[serde(skip)]
    pub store: Option<bool>,
    /// Which of the ids are the tenant's own, and at which provider: what the object's host has read of them.
    #[serde(skip)]
    pub owned: Vec<(String, String)>,
}

/// Why a call may not go out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Barrier {
    /// It names something that is not for it to reach.
    Named(Named),
    /// This field asks for something without a bound, and the policy refuses that.
    Unbounded(String),
    /// It names more than [`NAMED_MAX`] things, or one by a longer id than any has.
    Crowded,
}

/// Something that a request names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// What it is.
    pub what: What,
    /// The field that names it.
    pub field: String,
    /// Its id; empty where the field alone matters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
}

/// What a field of a request can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Another model than the one that is called, or another place.
    Model,
    /// Something that is kept at the provider.
    Kept,
    /// Work that goes on behind the answer.
    Later,
}

/// What a JSON `body` reaches of which no more is known, be it one request or a list of them.
pub fn of_json(body: &[u8]) -> Reach {
    let mut reach = Reach::default();
    let mut cursor = Cursor::new(body);
    reach.scan(&cursor, false);
    // Text that is no JSON ends the walk: what was found until there counts.
    let _ = match cursor.peek() {
        Some(b'[') => cursor.array(|cursor| match cursor.peek()? {
            b'{' => reach.fields(cursor, true),
            _ => cursor.value().map(drop),
        }),
        _ => reach.fields(&mut cursor, true),
    };
    reach
}

/// Whether `body`, of which more may come, holds a whole JSON value, after which others may follow; `None`: it is not UTF-8, or begins
/// with a mark.
pub fn is_one(body: &[u8]) -> Option<bool> {
    let cut = match str::from_utf8(body) {
        Ok(_) => body,
        // A letter may be cut at the end of what is here.
        Err(error) if error.error_len().is_none() => body.get(..error.valid_up_to())?,
        Err(_) => return None,
    };
    let is_marked = cut.starts_with("\u{feff}".as_bytes()) || cut.contains(&0);
    (!is_marked).then(|| Cursor::new(cut).value().is_some())
}

impl Barrier {
    /// Whether it may be gone in a moment: the end of the call that made the thing may still be on its way.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Named(named) if named.what == What::Kept && !named.id.is_empty())
    }
}

impl Reach {
    /// Whether there is nothing.
    pub const fn is_empty(&self) -> bool {
        self.unbounded.is_none() && self.named.is_empty() && !self.crowded
    }

    /// The ids of what it names that is kept at a provider.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.named.iter().filter(|named| named.what == What::Kept).map(|named| named.id.as_str())
    }

    /// Whether the thing `id` is known to be the tenant's own, and kept at `provider`.
    pub fn owns(&self, id: &str, provider: &str) -> bool {
        self.owned.iter().any(|(own, keeper)| own == id && keeper == provider)
    }

    /// Notes the first field, as it is written, that asks for something without a bound.
    pub(crate) fn unbounded(&mut self, raw: &[u8]) {
        self.unbounded.get_or_insert_with(|| shortened(text(raw)));
    }

    /// Notes what the field `name` names; `raw`: its id, as it is written.
    pub(crate) fn note(&mut self, what: What, name: &str, raw: &[u8]) {
        let id = if what == What::Kept { shortened(canonical(&text(raw))) } else { String::new() };
        // What of an id is not told could be anybody's.
        let is_long = id.len() > TEXT_BYTES_MAX.saturating_sub(4);
        self.crowded |= is_long;
        let named = Named { what, field: name.to_owned(), id };
        if is_long || self.named.contains(&named) {
            return;
        }
        match self.named.len() {
            NAMED_MAX.. => self.crowded = true,
            _ => self.named.push(named),
        }
    }

    /// Notes the ids that the value of the member `name` holds: a text, the `id` of an object, or a list of these. Stands in front of
    /// the value, of which the rest is not looked at.
    pub(crate) fn note_ids(&mut self, cursor: &Cursor<'_>, name: &'static str, is_id: IsId) -> Option<()> {
        let mut cursor = cursor.clone();
        match cursor.peek()? {
            b'[' => cursor.array(|cursor| {
                self.note_id(&mut cursor.clone(), name, is_id);
                cursor.value().map(drop)
            }),
            _ => self.note_id(&mut cursor, name, is_id),
        }
    }

    /// Steps over a body, and notes what its fields reach; those of its `extra_body`, too, where it can have one.
    fn fields(&mut self, cursor: &mut Cursor<'_>, has_extra: bool) -> Option<()> {
        cursor.object(|cursor, key| {
            match of_field(key.name) {
                Some(row) if is_asked(cursor, row)? => self.take(cursor, row)?,
                _ if field(key.name, &["store"]).is_some() => {
                    let stores = !matches!(cursor.peek()?, b'f' | b'n');
                    self.store = Some(self.store.unwrap_or(false) || stores);
                }
                _ if has_extra && field(key.name, &["extra_body"]).is_some() && cursor.peek()? == b'{' => {
                    self.fields(&mut cursor.clone(), false)?;
                }
                _ => {}
            }
            cursor.value().map(drop)
        })
    }

    /// Notes what `field` reaches, in front of whose value the cursor stays.
    pub(crate) fn take(&mut self, cursor: &Cursor<'_>, field: &Field) -> Option<()> {
        match field.what {
            What::Kept => self.note_ids(cursor, field.name, |id| !id.is_empty()),
            what => {
                self.note(what, field.name, &[]);
                Some(())
            }
        }
    }

    /// Notes one id: a text, or the `id` of an object.
    fn note_id(&mut self, cursor: &mut Cursor<'_>, name: &'static str, is_id: IsId) -> Option<()> {
        match cursor.peek()? {
            b'"' => {
                let raw = cursor.string()?.raw;
                if is_id(&text(raw)) {
                    self.note(What::Kept, name, raw);
                }
                Some(())
            }
            b'{' => cursor.object(|cursor, key| {
                if field(key.name, &["id"]).is_some() && cursor.peek()? == b'"' {
                    self.note(What::Kept, name, cursor.clone().string()?.raw);
                }
                cursor.value().map(drop)
            }),
            _ => Some(()),
        }
    }

    /// Notes what any value names that is kept at a provider, however deep; of what the `hosted` tools of a provider name, models too.
    pub(crate) fn scan(&mut self, cursor: &Cursor<'_>, hosted: bool) -> Option<()> {
        let mut cursor = cursor.clone();
        cursor.strings(|cursor, key| {
            if !cursor.eat(b':') {
                return Some(());
            }
            // What the client says of itself is nobody's.
            if field(key.raw, &["metadata"]).is_some() {
                return cursor.value().map(drop);
            }
            if let Some((name, is_id)) = of_member(key.raw) {
                self.note_ids(cursor, name, is_id);
            }
            if let Some(name) = field(key.raw, &table::MODELS)
                && hosted
                && matches!(cursor.peek(), Some(b'"' | b'['))
            {
                self.note(What::Model, name, &[]);
            }
            Some(())
        })
    }
}

/// An id in the one form that it is remembered by: of a path, as Google's are, the collection and the name in it.
pub fn canonical(id: &str) -> String {
    let path = id.split(['?', '#']).next().unwrap_or(id).trim_end_matches('/');
    let mut parts = path.rsplit('/');
    match (parts.next(), parts.next()) {
        (Some(name), Some(collection)) if !collection.is_empty() => format!("{collection}/{name}"),
        _ => id.to_owned(),
    }
}

/// A text without what is too long of it.
fn shortened(mut text: String) -> String {
    let mut end = TEXT_BYTES_MAX.min(text.len());
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.truncate(end);
    text
}
