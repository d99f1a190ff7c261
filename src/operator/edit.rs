//! What an admin call changes of a tenant or a key.
//!
//! A field that is not named stays as it is; `null` takes it away.

use super::{instant, read_name, read_policy};
use crate::fields::{Field, Fields, Invalid};
use crate::policy::Per;
use crate::units::Millis;
use serde_json::{Map, Value};

/// What becomes of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit<T> {
    /// It stays as it is: it was not named.
    Keep,
    /// It is taken away: it was named and `null`.
    Remove,
    /// It is put in the place of what there was.
    Set(T),
}

impl<T> Edit<T> {
    /// What there was before, edited.
    pub fn apply(self, before: Option<T>) -> Option<T> {
        match self {
            Self::Keep => before,
            Self::Remove => None,
            Self::Set(value) => Some(value),
        }
    }
}

/// What is changed of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantEdit {
    /// Its name.
    pub name: Edit<String>,
    /// Its policy's document, whole.
    pub policy: Option<Value>,
    /// Whether its calls are admitted at all.
    pub enabled: Option<bool>,
}

impl TenantEdit {
    /// The change that the body of `PATCH /tenants/{id}` describes.
    ///
    /// # Errors
    /// The first field that is wrong, or that there is none.
    pub fn read(body: &Value) -> Result<Self, Invalid> {
        let mut fields = Field::root("", body).fields()?;
        let name = edit(&mut fields, body, "name", |name| read_name(&name))?;
        let policy = edit(&mut fields, body, "policy", |policy| read_policy(&policy, Per::Tenant))?;
        let enabled = edit(&mut fields, body, "enabled", |enabled| enabled.boolean())?;
        fields.finish()?;
        let change = Self {
            name,
            policy: set_or_kept(policy, "policy", "an object; {} takes every limit away")?,
            enabled: set_or_kept(enabled, "enabled", "true or false")?,
        };
        let nothing = Self { name: Edit::Keep, policy: None, enabled: None };
        if change == nothing { Err(no_edit("name, policy and enabled")) } else { Ok(change) }
    }

    /// What the audit keeps of it: the fields that were named.
    pub fn detail(&self) -> Value {
        let mut detail = Map::new();
        note(&mut detail, "name", &self.name);
        note(&mut detail, "policy", &self.policy.clone().map_or(Edit::Keep, Edit::Set));
        note(&mut detail, "enabled", &self.enabled.map_or(Edit::Keep, Edit::Set));
        Value::Object(detail)
    }
}

/// What is said of a key: when it is made nothing is there to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEdit {
    /// Its name.
    pub name: Edit<String>,
    /// Its policy's document, whole.
    pub policy: Edit<Value>,
    /// From when on it is refused.
    pub expires_at: Edit<Millis>,
}

impl KeyEdit {
    /// What the body of `POST /tenants/{id}/keys` says.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn read_new(body: &Value, now: Millis) -> Result<Self, Invalid> {
        let mut fields = Field::root("", body).fields()?;
        let change = Self {
            name: edit(&mut fields, body, "name", |name| read_name(&name))?,
            policy: edit(&mut fields, body, "policy", |policy| read_policy(&policy, Per::Key))?,
            expires_at: edit(&mut fields, body, "expires_at", |instant| read_future(&instant, now))?,
        };
        fields.finish()?;
        Ok(change)
    }

    /// What the body of `PATCH /tenants/{id}/keys/{key}` says.
    ///
    /// # Errors
    /// The first field that is wrong, or that there is none.
    pub fn read(body: &Value, now: Millis) -> Result<Self, Invalid> {
        let change = Self::read_new(body, now)?;
        let nothing = Self { name: Edit::Keep, policy: Edit::Keep, expires_at: Edit::Keep };
        if change == nothing { Err(no_edit("name, policy and expires_at")) } else { Ok(change) }
    }

    /// What the audit keeps of it: the fields that were named.
    pub fn detail(&self) -> Value {
        let mut detail = Map::new();
        note(&mut detail, "name", &self.name);
        note(&mut detail, "policy", &self.policy);
        let expires_at = match self.expires_at {
            Edit::Keep => Edit::Keep,
            Edit::Remove => Edit::Remove,
            Edit::Set(end) => Edit::Set(instant(end)),
        };
        note(&mut detail, "expires_at", &expires_at);
        Value::Object(detail)
    }
}

fn note<T: Clone + Into<Value>>(detail: &mut Map<String, Value>, name: &str, edit: &Edit<T>) {
    match edit {
        Edit::Keep => None,
        Edit::Remove => detail.insert(name.to_owned(), Value::Null),
        Edit::Set(value) => detail.insert(name.to_owned(), value.clone().into()),
    };
}

fn edit<'a, T>(
    fields: &mut Fields<'a>,
    body: &Value,
    name: &'static str,
    read: impl FnOnce(Field<'a>) -> Result<T, Invalid>,
) -> Result<Edit<T>, Invalid> {
    match fields.optional(name) {
        Some(field) => read(field).map(Edit::Set),
        None if body.get(name).is_some() => Ok(Edit::Remove),
        None => Ok(Edit::Keep),
    }
}

fn set_or_kept<T>(edit: Edit<T>, name: &str, expected: &str) -> Result<Option<T>, Invalid> {
    match edit {
        Edit::Keep => Ok(None),
        Edit::Set(value) => Ok(Some(value)),
        Edit::Remove => Err(Invalid { path: name.to_owned(), problem: format!("must be {expected}; got null") }),
    }
}

fn no_edit(known: &str) -> Invalid {
    Invalid { path: String::new(), problem: format!("must name at least one of {known}") }
}

fn read_future(field: &Field<'_>, now: Millis) -> Result<Millis, Invalid> {
    let wrong = || {
        let problem =
            format!("must be an instant in the future such as \"2030-01-31T00:00:00Z\"; got {}", field.value());
        field.invalid(problem)
    };
    Millis::parse_rfc3339(field.text(64)?).filter(|instant| *instant > now).ok_or_else(wrong)
}
