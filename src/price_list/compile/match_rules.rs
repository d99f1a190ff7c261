//! Reads which models a price is for, and at which addresses a provider is.
//!
//! Both stand in the data as regular expressions, of few shapes. Each shape becomes a simple
//! clause; a shape that is not known is an error.

use super::format;
use serde::Deserialize;

/// Which names of models an entry is for.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Rule {
    Or(Vec<Rule>),
    And(Vec<Rule>),
    Equals(String),
    StartsWith(String),
    EndsWith(String),
    Contains(String),
    Regex(String),
}

/// A tag of [`format`] and its characters.
type Clause = (u8, String);

impl Rule {
    /// Writes it as the clauses of [`format`]. All are in small letters, as names are looked up.
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> Result<(), String> {
        for choice in self.choices()? {
            for (at, (tag, text)) in choice.iter().enumerate() {
                if text.is_empty() || text.bytes().any(|byte| byte < b' ') {
                    return Err(format!("{text:?} cannot be written into the table"));
                }
                out.push(if at == 0 { *tag } else { tag | format::ALSO });
                out.extend_from_slice(text.as_bytes());
            }
        }
        out.push(format::END);
        Ok(())
    }

    /// The sets of clauses, all of one of which must hold.
    fn choices(&self) -> Result<Vec<Vec<Clause>>, String> {
        let simple = |tag: u8, value: &str| Ok(vec![vec![(tag, value.to_lowercase())]]);
        match self {
            Self::Equals(value) => simple(format::EQUALS, value),
            Self::StartsWith(value) => simple(format::STARTS, value),
            Self::EndsWith(value) => simple(format::ENDS, value),
            Self::Contains(value) => simple(format::CONTAINS, value),
            Self::Or(rules) => {
                let choices = rules.iter().map(Self::choices).collect::<Result<Vec<_>, _>>()?;
                Ok(choices.concat())
            }
            Self::And(rules) => rules.iter().try_fold(vec![Vec::new()], |sets, rule| {
                let choices = rule.choices()?;
                let joined = |set: &Vec<Clause>| choices.iter().map(|one| [&set[..], one].concat()).collect::<Vec<_>>();
                Ok(sets.iter().flat_map(joined).collect())
            }),
            Self::Regex(regex) => {
                let clauses = read_regex(regex).ok_or_else(|| format!("{regex:?} is a regex of an unknown shape"))?;
                Ok(clauses.into_iter().map(|clause| vec![clause]).collect())
            }
        }
    }
}

/// The clauses, one of which must hold, that say what `regex` says of a name in small letters:
/// `^text$`, or the same with digits in it or with an open end, or `^(?!.*text(?:$|-))`.
fn read_regex(regex: &str) -> Option<Vec<Clause>> {
    if let Some(text) = regex.strip_prefix("^(?!.*").and_then(|rest| rest.strip_suffix("(?:$|-))")) {
        return Some(vec![(format::LACKS, any_case(text)?)]);
    }
    let body = regex.strip_prefix('^')?;
    let (body, whole) = body.strip_suffix('$').map_or((body, false), |body| (body, true));
    let texts = expand(body)?;
    let tag = |text: &str| match (whole, text.as_bytes().contains(&format::DIGIT)) {
        (true, false) => format::EQUALS,
        (true, true) => format::EQUALS_DIGITS,
        (false, false) => format::STARTS,
        (false, true) => format::STARTS_DIGITS,
    };
    Some(texts.into_iter().map(|text| (tag(&text), text)).collect())
}

/// The text that `-[tT][tT][sS]` matches in any case, in small letters.
fn any_case(mut regex: &str) -> Option<String> {
    let mut text = String::new();
    while let Some(first) = regex.chars().next() {
        if let Some(class) = regex.strip_prefix('[') {
            let (small, rest) = class.split_at_checked(1)?;
            let (large, rest) = rest.split_at_checked(1)?;
            regex = rest.strip_prefix(']').filter(|_| small.to_uppercase() == large)?;
            text.push_str(small);
        } else {
            regex = regex.strip_prefix(first).filter(|_| is_plain(first))?;
            text.push(first);
        }
    }
    Some(text)
}

/// The texts that a regex of plain characters, `\d`, `\d{8}` and `[-@]` stands for: a digit is `#`.
fn expand(mut regex: &str) -> Option<Vec<String>> {
    let mut texts = vec![String::new()];
    while let Some(first) = regex.chars().next() {
        let mut choices = vec![first.to_string()];
        if let Some(rest) = regex.strip_prefix("\\d") {
            let (count, rest) = match rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
                Some((count, rest)) => (count.parse().ok()?, rest),
                None => (1, rest),
            };
            choices = vec![char::from(format::DIGIT).to_string().repeat(count)];
            regex = rest;
        } else if let Some(rest) = regex.strip_prefix('\\') {
            let escaped = rest.chars().next().filter(char::is_ascii_punctuation)?;
            choices = vec![escaped.to_string()];
            regex = rest.get(1..)?;
        } else if let Some((class, rest)) = regex.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            let single = class.chars().all(is_plain) && !class.trim_matches('-').contains('-');
            choices = class.chars().map(String::from).collect();
            regex = Some(rest).filter(|_| single)?;
        } else {
            regex = regex.get(1..).filter(|_| is_plain(first))?;
        }
        texts = texts.iter().flat_map(|text| choices.iter().map(move |choice| format!("{text}{choice}"))).collect();
    }
    Some(texts)
}

/// A character that means itself in a regex, and in a name in small letters.
fn is_plain(one: char) -> bool {
    one.is_ascii_lowercase() || one.is_ascii_digit() || "-/@:_=".contains(one)
}

/// The addresses that an `api_pattern` is about, with `*` for anything.
pub(crate) fn addresses(pattern: &str) -> Result<Vec<String>, String> {
    // Patterns are not anchored: what may be absent at the start says nothing.
    let mut rest = pattern;
    while let Some((_, after)) = rest.strip_prefix('(').and_then(|group| group.split_once(")?")) {
        rest = after;
    }
    let start = if rest.len() == pattern.len() { "" } else { "*" };
    let body = ["(?:/|$)", "(/|$)"].iter().find_map(|end| rest.strip_suffix(end)).unwrap_or(rest);
    let bodies = read_address(body).ok_or_else(|| format!("{pattern:?} is an address of an unknown shape"))?;
    Ok(bodies.iter().map(|body| format!("{start}{body}*")).collect())
}

/// The texts that a regex of plain characters, groups and runs of anything stands for.
fn read_address(regex: &str) -> Option<Vec<String>> {
    let runs = ["[^/]+", "[a-z0-9-]+", "[^.]*", ".*"];
    let Some(first) = regex.chars().next() else {
        return Some(vec![String::new()]);
    };
    let (heads, rest) = if let Some(rest) = runs.iter().find_map(|run| regex.strip_prefix(run)) {
        (vec!["*".to_owned()], rest)
    } else if first == '(' {
        let (inside, rest) = split_group(regex)?;
        let mut heads = Vec::new();
        for choice in split_choices(inside) {
            heads.extend(read_address(choice)?);
        }
        match rest.strip_prefix('?') {
            Some(rest) => (heads.into_iter().chain([String::new()]).collect(), rest),
            None => (heads, rest),
        }
    } else if let Some(rest) = regex.strip_prefix("\\.") {
        (vec![".".to_owned()], rest)
    } else {
        (vec![first.to_string()], regex.get(1..).filter(|_| is_plain(first))?)
    };
    let tails = read_address(rest)?;
    Some(heads.iter().flat_map(|head| tails.iter().map(move |tail| format!("{head}{tail}"))).collect())
}

/// What is inside the group that `regex` starts with, and what follows it.
fn split_group(regex: &str) -> Option<(&str, &str)> {
    let mut depth = 0_u32;
    for (at, one) in regex.char_indices() {
        depth = depth_after(depth, one);
        if depth == 0 {
            let inside = regex.get(1..at)?;
            return Some((inside.strip_prefix("?:").unwrap_or(inside), regex.get(at.checked_add(1)?..)?));
        }
    }
    None
}

/// The choices of a group: what `|` parts, but not within a group of its own.
fn split_choices(inside: &str) -> Vec<&str> {
    let mut depth = 0_u32;
    let parts = |one: char| {
        depth = depth_after(depth, one);
        one == '|' && depth == 0
    };
    inside.split(parts).collect()
}

/// In how many groups it is after this character.
fn depth_after(depth: u32, one: char) -> u32 {
    match one {
        '(' => depth.saturating_add(1),
        ')' => depth.saturating_sub(1),
        _ => depth,
    }
}
