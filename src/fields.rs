//! Reads a JSON document field by field, and names the path of whatever is wrong.
//!
//! An operator's document is taken whole or refused whole: a field nobody knows is an error too,
//! because a misspelt limit would otherwise be no limit.

use crate::units::{Millis, NanoUsd};
use serde_json::{Map, Value};

/// What is wrong with a document, and where: nothing of it was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Where: `policy.limits[2].window`.
    pub path: String,
    /// What is wrong and what would be right, as a phrase.
    pub problem: String,
}

impl std::fmt::Display for Invalid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path, self.problem)
    }
}

/// One value of a document and its path.
#[derive(Clone, Debug)]
pub struct Field<'a> {
    path: String,
    value: &'a Value,
}

impl<'a> Field<'a> {
    /// The document's root, called `path` in errors.
    pub fn root(path: &str, value: &'a Value) -> Self {
        Self { path: path.to_owned(), value }
    }

    /// The value as it stands.
    pub fn value(&self) -> &'a Value {
        self.value
    }

    /// Another value in this one's place.
    pub fn with<'b>(&self, value: &'b Value) -> Field<'b> {
        Field { path: self.path.clone(), value }
    }

    /// An error at this field.
    pub fn invalid(&self, problem: impl Into<String>) -> Invalid {
        Invalid { path: self.path.clone(), problem: problem.into() }
    }

    /// A text of 1 to `bytes_max` bytes.
    ///
    /// # Errors
    /// Another type, an empty text, or a longer one.
    pub fn text(&self, bytes_max: usize) -> Result<&'a str, Invalid> {
        let text = self.value.as_str().ok_or_else(|| self.wrong_type("a text"))?;
        if text.is_empty() || text.len() > bytes_max {
            return Err(self.invalid(format!("must have 1 to {bytes_max} bytes; it has {}", text.len())));
        }
        Ok(text)
    }

    /// A whole number from `min` to `max`.
    ///
    /// # Errors
    /// Another type, a fraction, a sign, or a number outside the range.
    pub fn integer(&self, min: u64, max: u64) -> Result<u64, Invalid> {
        let expected = format!("a whole number from {min} to {max}");
        let number = self.value.as_u64().ok_or_else(|| self.wrong_type(&expected))?;
        if number < min || number > max {
            return Err(self.wrong_type(&expected));
        }
        Ok(number)
    }

    /// US dollars, as a decimal text or a whole number.
    ///
    /// # Errors
    /// Another type, a sign, more than nine decimals, or a sum beyond what is counted exactly.
    pub fn dollars(&self) -> Result<NanoUsd, Invalid> {
        let whole = self.value.as_u64().map(|dollars| dollars.to_string());
        let text = whole.as_deref().or_else(|| self.value.as_str());
        text.and_then(NanoUsd::parse_usd).ok_or_else(|| {
            self.wrong_type(
                "US dollars as a decimal text such as \"25.00\", from 0 to 9007199, with at most 9 decimals",
            )
        })
    }

    /// An instant as RFC 3339 writes it, with an offset or `Z`.
    ///
    /// # Errors
    /// Another type, another form, or an instant before 1970.
    pub fn instant(&self) -> Result<Millis, Invalid> {
        let instant = self.value.as_str().and_then(Millis::parse_rfc3339);
        instant.ok_or_else(|| self.wrong_type("an instant with its offset such as \"2030-01-31T00:00:00Z\""))
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// Another type.
    pub fn boolean(&self) -> Result<bool, Invalid> {
        self.value.as_bool().ok_or_else(|| self.wrong_type("true or false"))
    }

    /// The members of a list of at most `count_max`.
    ///
    /// # Errors
    /// Another type, or a longer list.
    pub fn list(&self, count_max: usize) -> Result<Vec<Field<'a>>, Invalid> {
        let list = self.value.as_array().ok_or_else(|| self.wrong_type("a list"))?;
        if list.len() > count_max {
            return Err(self.invalid(format!("must have at most {count_max} entries; it has {}", list.len())));
        }
        let member = |(index, value)| Field { path: format!("{}[{index}]", self.path), value };
        Ok(list.iter().enumerate().map(member).collect())
    }

    /// The names and values of an object of at most `count_max` entries.
    ///
    /// # Errors
    /// Another type, or a larger object.
    pub fn entries(&self, count_max: usize) -> Result<Vec<(&'a str, Field<'a>)>, Invalid> {
        let map = self.map()?;
        if map.len() > count_max {
            return Err(self.invalid(format!("must have at most {count_max} entries; it has {}", map.len())));
        }
        let entry = |(name, value): (&'a String, &'a Value)| {
            (name.as_str(), Field { path: format!("{}[{name:?}]", self.path), value })
        };
        Ok(map.iter().map(entry).collect())
    }

    /// This object's fields, to be taken by name.
    ///
    /// # Errors
    /// Another type.
    pub fn fields(&self) -> Result<Fields<'a>, Invalid> {
        Ok(Fields { path: self.path.clone(), map: self.map()?, known: Vec::new() })
    }

    fn map(&self) -> Result<&'a Map<String, Value>, Invalid> {
        self.value.as_object().ok_or_else(|| self.wrong_type("an object"))
    }

    fn wrong_type(&self, expected: &str) -> Invalid {
        let mut shown = self.value.to_string();
        if shown.len() > 60 {
            let cut = (0..=57).rev().find(|&at| shown.is_char_boundary(at)).unwrap_or(0);
            shown.truncate(cut);
            shown.push_str("...");
        }
        self.invalid(format!("must be {expected}; got {shown}"))
    }
}

/// An object's fields: each is taken by name, and [`Fields::finish`] refuses what nobody took.
#[derive(Debug)]
pub struct Fields<'a> {
    path: String,
    map: &'a Map<String, Value>,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// The field `name`; absent and `null` are the same.
    pub fn optional(&mut self, name: &'static str) -> Option<Field<'a>> {
        self.known.push(name);
        let value = self.map.get(name).filter(|value| !value.is_null())?;
        Some(Field { path: self.path_of(name), value })
    }

    /// The field `name`.
    ///
    /// # Errors
    /// It is absent or `null`.
    pub fn required(&mut self, name: &'static str) -> Result<Field<'a>, Invalid> {
        let missing = Invalid { path: self.path_of(name), problem: "is missing".to_owned() };
        self.optional(name).ok_or(missing)
    }

    /// Refuses every field that was not asked for.
    ///
    /// # Errors
    /// Names the first such field, and those that are known here.
    pub fn finish(self) -> Result<(), Invalid> {
        match self.map.keys().find(|name| !self.known.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => Err(Invalid {
                path: self.path_of(name),
                problem: format!("is not a field here; known are {}", self.known.join(", ")),
            }),
        }
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn errors_name_the_path_and_the_remedy() {
        let document = json!({"a": [{"b": -1}], "c": "", "d": "x".repeat(100)});
        let mut fields = Field::root("doc", &document).fields().unwrap();
        let list = fields.required("a").unwrap().list(4).unwrap();
        let number = list[0].fields().unwrap().required("b").unwrap().integer(0, 9);
        assert_eq!(number.unwrap_err().to_string(), "doc.a[0].b: must be a whole number from 0 to 9; got -1");
        let text = fields.required("c").unwrap().text(8);
        assert_eq!(text.unwrap_err().to_string(), "doc.c: must have 1 to 8 bytes; it has 0");
        assert_eq!(fields.required("e").unwrap_err().to_string(), "doc.e: is missing");
        let unknown = fields.finish();
        assert_eq!(unknown.unwrap_err().to_string(), "doc.d: is not a field here; known are a, c, e");
        let long = Field::root("doc", &document["d"]).boolean().unwrap_err();
        assert!(long.problem.ends_with("..."), "{long}");
    }
}
