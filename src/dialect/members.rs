//! Reads the JSON values of a request, and knows the path of each in its client's words.
//!
//! A member that is `null` is as good as absent, as in every dialect. What nobody took is noted by name at the end, so
//! that nothing is lost in silence.

use super::BadRequest;
use super::openai::usage::read_whole;
use crate::chat::{Feature, Used};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Where a value stands, such as `messages[2].content`. It is written out only when it is asked for.
#[derive(Clone, Copy)]
pub(in crate::dialect) struct Path<'p> {
    up: Option<&'p Path<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Root,
    Key(&'p str),
    Index(usize),
}

/// The members of an object, to be taken by name.
pub(in crate::dialect) struct Members<'a, 'p> {
    map: &'a Map<String, Value>,
    path: &'p Path<'p>,
    taken: Vec<&'static str>,
}

impl<'p> Path<'p> {
    /// The body itself.
    pub(in crate::dialect) const ROOT: Path<'static> = Path { up: None, step: Step::Root };

    /// The member `name` of what stands here.
    pub(in crate::dialect) const fn key<'q>(&'q self, name: &'q str) -> Path<'q>
    where
        'p: 'q,
    {
        Path { up: Some(self), step: Step::Key(name) }
    }

    /// The element `index` of what stands here.
    pub(in crate::dialect) const fn index<'q>(&'q self, index: usize) -> Path<'q>
    where
        'p: 'q,
    {
        Path { up: Some(self), step: Step::Index(index) }
    }

    /// The refusal of what stands here: `what` is wrong with it, and how to mend it, as a phrase.
    pub(in crate::dialect) fn bad(&self, what: &str) -> BadRequest {
        self.refuse(&format!("{what}."))
    }

    /// The refusal of a value that is not `right`, showing the start of it.
    pub(in crate::dialect) fn wrong(&self, right: &str, got: &Value) -> BadRequest {
        let text = got.to_string();
        let shown: String = text.chars().take(40).collect();
        let more = if shown.len() < text.len() { "…" } else { "" };
        self.refuse(&format!("must be {right}; got {shown}{more}"))
    }

    fn refuse(&self, what: &str) -> BadRequest {
        let path = self.to_string();
        if path.is_empty() {
            return BadRequest { param: None, message: format!("The body {what}") };
        }
        let message = format!("`{path}` {what}");
        BadRequest { param: Some(path), message }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(up) = self.up {
            up.fmt(f)?;
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Key(name) if self.up.is_none_or(|up| matches!(up.step, Step::Root)) => f.write_str(name),
            Step::Key(name) => write!(f, ".{name}"),
        }
    }
}

impl<'a, 'p> Members<'a, 'p> {
    /// The members of `value`, which stands at `path`.
    pub(in crate::dialect) fn of(value: &'a Value, path: &'p Path<'p>) -> Result<Self, BadRequest> {
        let map = value.as_object().ok_or_else(|| path.wrong("an object", value))?;
        Ok(Self { map, path, taken: Vec::with_capacity(8) })
    }

    /// Where the object stands.
    pub(in crate::dialect) const fn path(&self) -> &'p Path<'p> {
        self.path
    }

    /// Any value.
    pub(in crate::dialect) fn take(&mut self, name: &'static str) -> Option<&'a Value> {
        self.taken.push(name);
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// A text.
    pub(in crate::dialect) fn text(&mut self, name: &'static str) -> Result<Option<&'a str>, BadRequest> {
        self.typed(name, "a string", Value::as_str)
    }

    /// A text that must be there; `remedy` tells what to give.
    pub(in crate::dialect) fn needed_text(&mut self, name: &'static str, remedy: &str) -> Result<&'a str, BadRequest> {
        self.text(name)?.ok_or_else(|| self.missing(name, remedy))
    }

    /// `true` or `false`.
    pub(in crate::dialect) fn flag(&mut self, name: &'static str) -> Result<Option<bool>, BadRequest> {
        self.typed(name, "true or false", Value::as_bool)
    }

    /// A number, as it is written.
    pub(in crate::dialect) fn number(&mut self, name: &'static str) -> Result<Option<Number>, BadRequest> {
        self.typed(name, "a number", |value| value.as_number().cloned())
    }

    /// A whole number of at least zero.
    pub(in crate::dialect) fn whole(&mut self, name: &'static str) -> Result<Option<u64>, BadRequest> {
        let whole = |value: &Value| read_whole(&value.as_number()?.to_string());
        self.typed(name, "a whole number of at least 0", whole)
    }

    /// A list.
    pub(in crate::dialect) fn list(&mut self, name: &'static str) -> Result<Option<&'a [Value]>, BadRequest> {
        self.typed(name, "a list", |value| value.as_array().map(Vec::as_slice))
    }

    /// A value that `read` makes something of; anything else is not `right`.
    pub(in crate::dialect) fn typed<T>(
        &mut self,
        name: &'static str,
        right: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, BadRequest> {
        let Some(value) = self.take(name) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| self.path.key(name).wrong(right, value))
    }

    /// The refusal of an object that lacks `name`.
    pub(in crate::dialect) fn missing(&self, name: &str, remedy: &str) -> BadRequest {
        self.path.key(name).bad(&format!("is missing; {remedy}"))
    }

    /// Notes `feature` at the member `name`.
    pub(in crate::dialect) fn note(&self, feature: Feature, name: &str, used: &mut Used) {
        used.note(feature, self.path.key(name).to_string());
    }

    /// Notes each member that nobody took: those of `hints` as hints, any other as foreign.
    pub(in crate::dialect) fn leave(self, hints: &[&str], used: &mut Used) {
        let left = |(name, value): &(&String, &Value)| !value.is_null() && !self.taken.contains(&name.as_str());
        for (name, _) in self.map.iter().filter(left) {
            let is_hint = hints.contains(&name.as_str());
            self.note(if is_hint { Feature::Hint } else { Feature::Foreign }, name, used);
        }
    }
}

/// An object of these members, which are moved into it, where `json!` would copy them.
pub(in crate::dialect) fn moved<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        let body = json!({"a": [{"b": "x"}], "n": 1.0, "odd": 7, "hint": 1, "none": null});
        let (a, mut used) = (Path::ROOT.key("a"), Used::default());
        let first = a.index(0);
        let mut inner = Members::of(&body["a"][0], &first).unwrap();
        let wrong = inner.number("b").unwrap_err();
        assert_eq!(wrong.param.as_deref(), Some("a[0].b"));
        assert_eq!(wrong.message, "`a[0].b` must be a number; got \"x\"");
        assert_eq!(inner.needed_text("c", "give it").unwrap_err().message, "`a[0].c` is missing; give it.");
        let mut outer = Members::of(&body, &Path::ROOT).unwrap();
        assert_eq!((outer.whole("n"), outer.take("none")), (Ok(Some(1)), None));
        outer.leave(&["hint"], &mut used);
        let noted: Vec<_> = used.iter().collect();
        assert_eq!(noted, [(Feature::Foreign, "a"), (Feature::Foreign, "odd"), (Feature::Hint, "hint")]);
        let whole = Members::of(&body["a"], &Path::ROOT).err().unwrap();
        assert_eq!((whole.param, whole.message.as_str()), (None, "The body must be an object; got [{\"b\":\"x\"}]"));
    }
}
