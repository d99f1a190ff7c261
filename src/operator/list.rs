//! Lists of the admin API: a page of each at a time, of so many entries and so many bytes.

use super::{read_number, unknown_parameter};
use crate::fields::Invalid;
use serde_json::{Value, json};

const PAGE_DEFAULT: u64 = 100;
const PAGE_MAX: u64 = 1_000;
/// At so many bytes a page ends, however few entries it has: policies can be large.
const PAGE_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// How many rows are read at once.
const PART: u64 = 100;

/// Which part of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// How many entries at most.
    pub limit: u64,
    /// The list goes on behind this one; empty: it begins.
    pub after: String,
}

impl Page {
    /// The page that the query's parameters ask for.
    ///
    /// # Errors
    /// The parameter that is wrong.
    pub fn read<'a>(query: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self, Invalid> {
        let mut page = Self { limit: PAGE_DEFAULT, after: String::new() };
        for (name, value) in query {
            match name {
                "limit" => page.limit = read_number(name, value, 1, PAGE_MAX)?,
                "after" => value.clone_into(&mut page.after),
                _ => return Err(unknown_parameter(name, "limit, after")),
            }
        }
        Ok(page)
    }
}

/// A page of a list that is read part by part.
#[derive(Clone, Debug)]
pub struct Listing {
    page: Page,
    rows: Vec<Value>,
    bytes: usize,
    /// Whether there may be more behind what was read.
    has_more: bool,
}

impl Listing {
    /// A list of which nothing is read yet.
    pub fn new(page: Page) -> Self {
        Self { page, rows: Vec::new(), bytes: 0, has_more: true }
    }

    /// The part that is to be read next, and one entry more to know whether there are more; `None`: the page is full.
    pub fn part(&self) -> Option<Page> {
        let left = self.page.limit.saturating_sub(u64::try_from(self.rows.len()).unwrap_or(u64::MAX));
        let part = Page { limit: left.min(PART), after: self.page.after.clone() };
        (self.has_more && left > 0 && self.bytes < PAGE_BYTES_MAX).then_some(part)
    }

    /// Adds the part that was read: each entry's id and document.
    pub fn add<'a>(&mut self, part: &Page, rows: impl ExactSizeIterator<Item = (&'a str, Value)>) {
        let limit = usize::try_from(part.limit).unwrap_or(usize::MAX);
        self.has_more = rows.len() > limit;
        for (id, document) in rows.take(limit) {
            if self.bytes >= PAGE_BYTES_MAX {
                self.has_more = true;
                return;
            }
            id.clone_into(&mut self.page.after);
            self.bytes = self.bytes.saturating_add(document.to_string().len());
            self.rows.push(document);
        }
    }

    /// The list's document.
    pub fn document(self) -> Value {
        json!({"object": "list", "data": self.rows, "has_more": self.has_more})
    }
}
