//! What a tenant or a key may do: its limits, the models it may call, and what a shortfall does.

use crate::fields::{Field, Invalid};
use crate::origin::{self, OriginPattern};
use crate::passthrough::STATELESS;
use crate::pattern::Pattern;
use crate::units::{Amount, CEILING, Millis, NanoUsd, Tokens};
use crate::window::{Period, Window, parse_seconds};
use serde_json::{Map, Value, json};
use std::rc::Rc;

mod choices;
mod increase;

pub use choices::{Disconnect, Shortfall, Unbounded, UnknownPrice, Unsettled};
pub use increase::Increase;

const LIMITS_MAX: usize = 32;
const MODELS_MAX: usize = 64;
const NAME_BYTES_MAX: usize = 64;
/// How many days a ledger's rows are kept at most.
const LEDGER_DAYS_MAX: u64 = 3_650;
/// How many days they are kept where the policy does not say: a year, and a month to close its books.
const LEDGER_DAYS_DEFAULT: u64 = 400;
const LEASE_DEFAULT: Millis = Millis::from_secs(600);
/// The longest lease that a policy may give.
pub const LEASE_MAX: Millis = Millis::from_secs(3_600);

/// What a tenant or a key may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// All of them hold at once.
    pub limits: Vec<Rc<Limit>>,
    /// The models it may call; a call's model must match one.
    pub models: Vec<Pattern>,
    /// What to do where a call asks for more output than is left.
    pub on_shortfall: Shortfall,
    /// What becomes of a stream whose client has left.
    pub on_disconnect: Disconnect,
    /// The smallest output cap that a call may be lowered to.
    pub fit_min: Tokens,
    /// How long a call that is not heard of any more keeps what it reserved.
    pub lease: Millis,
    /// What to do with a call whose price is not known.
    pub unknown_price: UnknownPrice,
    /// What a call is billed whose provider fell silent.
    pub unsettled: Unsettled,
    /// What to do with a call that asks for something without a bound.
    pub unbounded: Unbounded,
    /// What may be passed on to a provider as it is, as `provider/path`; `None`: that is for the tenant's policy to say.
    pub passthrough: Option<Vec<Pattern>>,
    /// The pages that may call from a browser, of those that the deployment lets; `None`: all of those, or what the tenant's policy
    /// says.
    pub allowed_origins: Option<Vec<OriginPattern>>,
    /// How many days the rows of ended calls are kept; `None`: as long as usual. Only a tenant's policy says it.
    pub ledger_days: Option<u64>,
}

/// One limit: at most `max` of `what`, for each `per`, over `window`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What answers and headers call it; unique within its policy.
    pub name: String,
    /// What is counted.
    pub what: What,
    /// Whose calls are counted together.
    pub per: Per,
    /// The models whose calls are counted.
    pub models: Vec<Pattern>,
    /// Over what time; for concurrency the moment.
    pub window: Window,
    /// The most that may be settled and held together; [`Limit::max_at`] tells what holds at an instant.
    pub max: Amount,
    /// A higher maximum for a time.
    pub increase: Option<Increase>,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// Admitted calls.
    Requests,
    /// Input and output tokens.
    Tokens,
    /// Input tokens, cached ones included.
    InputTokens,
    /// Output tokens.
    OutputTokens,
    /// Money, in nano-USD.
    Cost,
    /// Calls under way.
    Concurrency,
}

/// Whose calls a limit counts together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Per {
    /// All of the tenant's.
    Tenant,
    /// Each key's by themselves.
    Key,
}

impl What {
    /// Every kind, with the name it has in documents.
    pub const ALL: [(&'static str, Self); 6] = [
        ("requests", Self::Requests),
        ("tokens", Self::Tokens),
        ("input_tokens", Self::InputTokens),
        ("output_tokens", Self::OutputTokens),
        ("cost", Self::Cost),
        ("concurrency", Self::Concurrency),
    ];

    /// The name it has in documents.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, what)| *what == self).map_or("", |(name, _)| name)
    }

    /// What documents call `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|&(_, what)| what)
    }

    /// `amount` as documents write it: US dollars as a decimal text, all else as a number.
    pub fn document(self, amount: Amount) -> Value {
        if self == Self::Cost { Value::from(self.text(amount)) } else { Value::from(amount.get()) }
    }

    /// `amount` as texts write it: US dollars as a decimal, all else as a whole number.
    pub fn text(self, amount: Amount) -> String {
        if self == Self::Cost { NanoUsd::new(amount.get()).to_usd() } else { amount.to_string() }
    }
}

impl Per {
    /// The name it has in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Key => "key",
        }
    }
}

impl Policy {
    /// Reads a policy document; `owner` is whose it is: a key's policy has limits per key alone.
    ///
    /// # Errors
    /// The first field that is wrong, and what would be right.
    pub fn read(field: &Field<'_>, owner: Per) -> Result<Self, Invalid> {
        let mut fields = field.fields()?;
        let limits = match fields.optional("limits") {
            None => Vec::new(),
            Some(list) => read_limits(&list, owner)?,
        };
        let models = read_models(fields.optional("models").as_ref())?;
        let on_shortfall = match fields.optional("on_shortfall") {
            None => Shortfall::Fit,
            Some(field) => one_of(&field, &[("fit", Shortfall::Fit), ("reject", Shortfall::Reject)])?,
        };
        let on_disconnect = match fields.optional("on_disconnect") {
            None => Disconnect::Abort,
            Some(field) => one_of(&field, &[("abort", Disconnect::Abort), ("drain", Disconnect::Drain)])?,
        };
        let fit_min = match fields.optional("fit_min") {
            None => Tokens::new(256),
            Some(field) => Tokens::new(field.integer(1, CEILING)?),
        };
        let lease = match fields.optional("lease") {
            None => LEASE_DEFAULT,
            Some(field) => {
                let lease = parse_seconds(field.text(16)?).map(Millis::from_secs);
                let lease = lease.filter(|lease| (Millis::from_secs(1)..=LEASE_MAX).contains(lease));
                lease.ok_or_else(|| field.invalid("must be a time from 1s to 1h, such as \"10m\""))?
            }
        };
        let unknown_price = match fields.optional("unknown_price") {
            None => UnknownPrice::Reject,
            Some(field) => one_of(&field, &UnknownPrice::ALL)?,
        };
        let unsettled = match fields.optional("unsettled") {
            None => Unsettled::Estimate,
            Some(field) => one_of(&field, &[("estimate", Unsettled::Estimate), ("ceiling", Unsettled::Ceiling)])?,
        };
        let unbounded = match fields.optional("unbounded") {
            None => Unbounded::Reserve,
            Some(field) => one_of(&field, &Unbounded::ALL)?,
        };
        let stateless = || (owner == Per::Tenant).then(|| STATELESS.into_iter().map(Pattern::new).collect());
        let passthrough = match fields.optional("passthrough") {
            None => stateless(),
            Some(field) => Some(read_patterns(&field)?),
        };
        let allowed_origins =
            fields.optional("allowed_origins").map(|field| origin::read_patterns(&field)).transpose()?;
        let ledger_days = match fields.optional("ledger_days") {
            Some(field) if owner == Per::Key => {
                return Err(field.invalid("does not go into a key's policy; put it into the tenant's"));
            }
            days => days.map(|field| field.integer(1, LEDGER_DAYS_MAX)).transpose()?,
        };
        fields.finish()?;
        Ok(Self {
            limits,
            models,
            on_shortfall,
            on_disconnect,
            fit_min,
            lease,
            unknown_price,
            unsettled,
            unbounded,
            passthrough,
            allowed_origins,
            ledger_days,
        })
    }

    /// The document that [`Policy::read`] reads as this policy, with every default written out.
    pub fn document(&self) -> Value {
        let mut document = json!({
            "limits": self.limits.iter().map(|limit| limit.document()).collect::<Vec<_>>(),
            "models": pattern_document(&self.models),
            "on_shortfall": if self.on_shortfall == Shortfall::Fit { "fit" } else { "reject" },
            "on_disconnect": self.on_disconnect,
            "fit_min": self.fit_min,
            "lease": format!("{}s", self.lease.as_secs_ceil()),
            "unknown_price": self.unknown_price.name(),
            "unsettled": if self.unsettled == Unsettled::Estimate { "estimate" } else { "ceiling" },
            "unbounded": self.unbounded.name(),
        });
        if let Value::Object(fields) = &mut document {
            let passthrough = self.passthrough.as_deref().map(pattern_document);
            fields.extend(passthrough.map(|patterns| ("passthrough".to_owned(), patterns)));
            fields.extend(self.ledger_days.map(|days| ("ledger_days".to_owned(), days.into())));
        }
        if let (Some(patterns), Value::Object(fields)) = (&self.allowed_origins, &mut document) {
            fields.insert("allowed_origins".into(), patterns.iter().map(OriginPattern::as_str).collect());
        }
        document
    }

    /// How long the rows of ended calls are kept.
    pub fn ledger_keeps(&self) -> Millis {
        Millis::from_secs(86_400).times(self.ledger_days.unwrap_or(LEDGER_DAYS_DEFAULT))
    }

    /// What it takes of memory, in bytes: its texts, and as much besides as each part of it is made of.
    pub fn bytes(&self) -> usize {
        let parts = |patterns: &[Pattern]| {
            patterns.iter().fold(0_usize, |sum, one| sum.saturating_add(one.as_str().len()).saturating_add(32))
        };
        let limit = |limit: &Rc<Limit>| parts(&limit.models).saturating_add(limit.name.len()).saturating_add(256);
        let passthrough = parts(self.passthrough.as_deref().unwrap_or_default());
        let own = [128, parts(&self.models), passthrough].into_iter();
        self.limits.iter().map(limit).chain(own).fold(0, usize::saturating_add)
    }

    /// Whether this policy lets `model` be called.
    pub fn allows(&self, model: &str) -> bool {
        self.models.iter().any(|pattern| pattern.matches(model))
    }
}

impl Limit {
    /// Whether calls of `model` count.
    pub fn covers(&self, model: &str) -> bool {
        self.models.iter().any(|pattern| pattern.matches(model))
    }

    /// Whether both count the same calls in the same way, however much they allow.
    pub fn counts_as(&self, other: &Self) -> bool {
        let counts = |limit: &Self| (limit.what, limit.per, limit.window);
        counts(self) == counts(other) && self.models == other.models
    }

    /// The document that this limit is read from.
    pub fn document(&self) -> Value {
        let mut document = Map::new();
        document.insert("name".into(), json!(self.name));
        document.insert("what".into(), json!(self.what.name()));
        document.insert("per".into(), json!(self.per.name()));
        document.insert("models".into(), pattern_document(&self.models));
        if self.window != Window::Moment {
            document.insert("window".into(), json!(self.window.name()));
        }
        document.insert("max".into(), self.what.document(self.max));
        if let Some(increase) = &self.increase {
            document.insert("increase".into(), increase.document(self.what));
        }
        Value::Object(document)
    }
}

fn pattern_document(models: &[Pattern]) -> Value {
    models.iter().map(|pattern| Value::from(pattern.as_str())).collect()
}

fn read_limits(list: &Field<'_>, owner: Per) -> Result<Vec<Rc<Limit>>, Invalid> {
    let mut limits: Vec<Rc<Limit>> = Vec::new();
    for field in list.list(LIMITS_MAX)? {
        let limit = read_limit(&field, owner)?;
        if limits.iter().any(|other| other.name == limit.name) {
            return Err(
                field.invalid(format!("is the second limit named {:?}; give each its own \"name\"", limit.name))
            );
        }
        limits.push(Rc::new(limit));
    }
    Ok(limits)
}

fn read_limit(field: &Field<'_>, owner: Per) -> Result<Limit, Invalid> {
    let mut fields = field.fields()?;
    let name = fields.optional("name");
    let what = one_of(&fields.required("what")?, &What::ALL)?;
    let per = match fields.optional("per") {
        None => owner,
        Some(field) => {
            let per = one_of(&field, &[("tenant", Per::Tenant), ("key", Per::Key)])?;
            if owner == Per::Key && per == Per::Tenant {
                return Err(field.invalid("must be \"key\" in a key's policy; put limits per tenant into the tenant's"));
            }
            per
        }
    };
    let models = read_models(fields.optional("models").as_ref())?;
    let window = fields.optional("window");
    let window = match (what, window) {
        (What::Concurrency, None) => Window::Moment,
        (What::Concurrency, Some(field)) => {
            return Err(field.invalid("does not go with concurrency, which counts the calls under way; leave it out"));
        }
        (_, window) => read_window(field, window)?,
    };
    let max = read_amount(&fields.required("max")?, what)?;
    let increase = fields.optional("increase").map(|field| Increase::read(&field, what, max)).transpose()?;
    let name = match name {
        None if window == Window::Moment => format!("{}-{}", what.name(), per.name()),
        None => format!("{}-{}-{}", what.name(), window.name(), per.name()),
        Some(field) => read_name(&field)?,
    };
    fields.finish()?;
    Ok(Limit { name, what, per, models, window, max, increase })
}

/// An amount of `what`, as documents write it.
fn read_amount(field: &Field<'_>, what: What) -> Result<Amount, Invalid> {
    let amount = if what == What::Cost { field.dollars()?.get() } else { field.integer(0, CEILING)? };
    Ok(Amount::new(amount))
}

fn read_window(limit: &Field<'_>, window: Option<Field<'_>>) -> Result<Window, Invalid> {
    let periods: Vec<_> = Period::ALL.iter().map(|period| period.name()).collect();
    let known = format!("\"1s\" to \"1h\" (rolling), or one of {} (calendar, UTC)", periods.join(", "));
    let window = window.ok_or_else(|| limit.invalid(format!("has no \"window\"; give one of {known}")))?;
    Window::parse(window.text(16)?).ok_or_else(|| window.invalid(format!("must be {known}; got {}", window.value())))
}

/// A name that may stand in a header: letters, digits, `.`, `_` and `-`.
fn read_name(field: &Field<'_>) -> Result<String, Invalid> {
    let name = field.text(NAME_BYTES_MAX)?;
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if plain { Ok(name.to_owned()) } else { Err(field.invalid("may hold letters, digits, '.', '_' and '-'")) }
}

fn read_models(field: Option<&Field<'_>>) -> Result<Vec<Pattern>, Invalid> {
    field.map_or_else(|| Ok(vec![Pattern::new("*")]), read_patterns)
}

fn read_patterns(field: &Field<'_>) -> Result<Vec<Pattern>, Invalid> {
    field.list(MODELS_MAX)?.iter().map(|model| Ok(Pattern::new(model.text(256)?))).collect()
}

/// The value that the field's text names.
fn one_of<T: Copy>(field: &Field<'_>, known: &[(&'static str, T)]) -> Result<T, Invalid> {
    let text = field.value().as_str().unwrap_or_default();
    known.iter().find(|(name, _)| *name == text).map(|&(_, value)| value).ok_or_else(|| {
        let names: Vec<_> = known.iter().map(|&(name, _)| name).collect();
        field.invalid(format!("must be one of {}; got {}", names.join(", "), field.value()))
    })
}

#[cfg(test)]
#[path = "policy/tests.rs"]
mod tests;
