//! A value of a request and its path, for what is wrong with it.

use crate::chat::{Feature, Used};
use crate::dialect::BadRequest;
use serde_json::{Map, Value};

/// A value, and where it stands.
pub(super) struct Field<'a> {
    pub(super) value: &'a Value,
    pub(super) path: String,
}

impl<'a> Field<'a> {
    /// The whole body.
    pub(super) const fn root(value: &'a Value) -> Self {
        Self { value, path: String::new() }
    }

    /// The member `name`; `null` is none.
    pub(super) fn get(&self, name: &str) -> Option<Self> {
        let value = self.value.get(name).filter(|value| !value.is_null())?;
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        Some(Self { value, path })
    }

    /// The elements of the list that the member `name` is; none where there is no such member.
    pub(super) fn list(&self, name: &str) -> Result<Vec<Self>, BadRequest> {
        let Some(list) = self.get(name) else { return Ok(Vec::new()) };
        let elements = list.value.as_array().ok_or_else(|| list.bad("a list"))?;
        let field = |(at, value)| Self { value, path: format!("{}[{at}]", list.path) };
        Ok(elements.iter().enumerate().map(field).collect())
    }

    /// The members.
    pub(super) fn map(&self) -> Result<&'a Map<String, Value>, BadRequest> {
        self.value.as_object().ok_or_else(|| self.bad("an object"))
    }

    /// The text.
    pub(super) fn text(&self) -> Result<&'a str, BadRequest> {
        self.value.as_str().ok_or_else(|| self.bad("a string"))
    }

    /// The text that the member `name` is; empty where there is no such member.
    pub(super) fn text_of(&self, name: &str) -> Result<&'a str, BadRequest> {
        self.get(name).map_or(Ok(""), |field| field.text())
    }

    /// Notes every member that is not `known`.
    pub(super) fn note_others(&self, known: &[&str], feature: Feature, used: &mut Used) -> Result<(), BadRequest> {
        for (name, _) in self.map()?.iter().filter(|(name, value)| !value.is_null() && !known.contains(&name.as_str()))
        {
            let path = if self.path.is_empty() { name.clone() } else { format!("{}.{name}", self.path) };
            used.note(feature, path);
        }
        Ok(())
    }

    /// That this is not what it must be.
    pub(super) fn bad(&self, expected: &str) -> BadRequest {
        let what = if self.path.is_empty() { "The body" } else { &self.path };
        let param = Some(self.path.clone()).filter(|path| !path.is_empty());
        BadRequest { param, message: format!("{what} must be {expected}.") }
    }
}
