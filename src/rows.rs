//! What a tenant's object stores: one type for each table's row, and the changes to be written.
//!
//! Memory is a cache of these rows: a tenant rebuilt from them decides as the one that wrote them.

use crate::habit::Habit;
use crate::idempotency::NameChange;
use crate::key::KeyId;
use crate::limits::Load;
use crate::price::Bill;
use crate::units::{Millis, NanoUsd, Tokens};
use serde::{Deserialize, Serialize};

/// A call's place in the ledger: its admission in microseconds since 1970, made unique.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallKey(u64);

impl CallKey {
    /// The place `micros` microseconds after 1970.
    pub const fn new(micros: u64) -> Self {
        Self(micros)
    }

    /// The first place at `now`.
    pub const fn at(now: Millis) -> Self {
        Self(now.get().saturating_mul(1_000))
    }

    /// The place after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The number, as it is stored.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// When the call was admitted.
    pub const fn millis(self) -> Millis {
        Millis::new(self.0 / 1_000)
    }
}

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Admitted, and not heard of since: what it holds is not yet spent.
    Open,
    /// Its bill is known.
    Settled,
    /// Nobody settled it within its lease: billed what it held, until somebody does.
    Expired,
}

/// What a bill rests on. A word that only a newer release knows is read as [`Truth::Counted`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "&'static str")]
pub enum Truth {
    /// The provider said what it used, or used nothing.
    #[default]
    Reported,
    /// The provider did not say; output was counted as it passed, input estimated.
    Counted,
    /// A provider fell silent; what came of it was counted, or else is what such calls mostly use.
    Estimated,
    /// The provider told of more than the call can have used; it is billed the most that it can.
    Bounded,
    /// Nothing is known but the most it can have been.
    Ceiling,
    /// An operator has lowered it; that stands.
    Credited,
}

impl Truth {
    /// Every kind, with the name it has in rows and documents.
    const ALL: [(&'static str, Self); 6] = [
        ("reported", Self::Reported),
        ("counted", Self::Counted),
        ("estimated", Self::Estimated),
        ("bounded", Self::Bounded),
        ("ceiling", Self::Ceiling),
        ("credited", Self::Credited),
    ];

    /// The name it has in rows and documents.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, truth)| *truth == self).map_or("", |(name, _)| name)
    }

    /// The names of all.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|(name, _)| *name)
    }

    /// What rows and documents call `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|&(_, truth)| truth)
    }

    /// What a bill rests on of which one part rests on this, and one on the `other`: the weaker of both.
    fn with(self, other: Self) -> Self {
        let weaker = Self::ALL.iter().rev().find(|(_, truth)| *truth == self || *truth == other);
        weaker.map_or(self, |(_, truth)| *truth)
    }

    /// Whether a provider's own word may still come, and then counts instead.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Estimated | Self::Ceiling)
    }
}

impl From<String> for Truth {
    fn from(name: String) -> Self {
        Self::named(&name).unwrap_or(Self::Counted)
    }
}

impl From<Truth> for &'static str {
    fn from(truth: Truth) -> Self {
        truth.name()
    }
}

/// A call's row in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRow {
    /// Its place.
    pub at: CallKey,
    /// Its name, which the client sees as `x-request-id`.
    pub call: String,
    /// The key that made it.
    pub key: KeyId,
    /// The model, as the client named it.
    pub model: String,
    /// What was called: `chat` or `embeddings`.
    pub endpoint: String,
    /// The bytes of its text, from which estimates are learnt; 0 if it was not text alone.
    pub bytes: u64,
    /// How far it has come.
    pub state: State,
    /// When its hold ends by itself.
    pub lease_ends: Millis,
    /// What it held, or still holds.
    pub held: Load,
    /// Whether it holds what only its own request tells: then that is not reckoned anew while it runs.
    pub special: bool,
    /// The output, counted, at which it is to be stopped: a budget was cut while it ran.
    pub stop_at: Option<Tokens>,
    /// The version of the catalog that it was admitted by.
    pub catalog: u64,
    /// What is known of its end; `None` while it is open.
    pub end: Option<End>,
}

/// How a call ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// When, by the object's clock; filled in by the object.
    #[serde(default)]
    pub at: Millis,
    /// The tokens that are billed.
    pub bill: Bill,
    /// What they cost.
    pub cost: NanoUsd,
    /// What the bill rests on.
    #[serde(default)]
    pub truth: Truth,
    /// Where its price is written: `catalog:3`; empty if there is none.
    #[serde(default)]
    pub priced_by: String,
    /// The `provider/model` that answered; empty if none did.
    #[serde(default)]
    pub target: String,
    /// The HTTP status that the client was given; 0 if it was given none.
    #[serde(default)]
    pub status: u16,
    /// How many providers were tried.
    #[serde(default)]
    pub attempts: u32,
}

impl End {
    /// The load that counts once the call has ended.
    pub fn load(&self) -> Load {
        Load::used(self.bill.input, self.bill.output, self.cost)
    }

    /// This end with what another target used besides. The first to be named stays the one that answered.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let named = if self.target.is_empty() { &other } else { &self };
        let (target, priced_by) = (named.target.clone(), named.priced_by.clone());
        let (bill, cost) = (self.bill.plus(other.bill), self.cost.plus(other.cost));
        Self { bill, cost, truth: self.truth.with(other.truth), target, priced_by, ..self }
    }

    /// Whether it is bounded: told besides, as an object of the release before does not know that word.
    pub fn take_bounded(&mut self) -> bool {
        let bounded = self.truth == Truth::Bounded;
        self.truth = if bounded { Truth::Counted } else { self.truth };
        bounded
    }

    /// Whether the client was given something else than an answer.
    pub fn failed(&self) -> bool {
        !(200..300).contains(&self.status)
    }
}

/// How much time one usage row covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grain {
    /// An hour.
    Hour,
    /// A day; weeks are sums of days.
    Day,
    /// A month.
    Month,
    /// All time.
    Lifetime,
}

impl Grain {
    /// Every grain with the number it is stored as.
    pub const ALL: [(Self, u8); 4] = [(Self::Hour, 0), (Self::Day, 1), (Self::Month, 2), (Self::Lifetime, 3)];

    /// The number it is stored as.
    pub fn number(self) -> u8 {
        Self::ALL.iter().find(|(grain, _)| *grain == self).map_or(0, |(_, number)| *number)
    }
}

/// Which calls a usage row sums up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsageKey {
    /// How much time.
    pub grain: Grain,
    /// From when.
    pub start: Millis,
    /// Of which key.
    pub key: KeyId,
    /// To which model.
    pub model: String,
}

/// Sums over ended calls; signed, because a correction may take back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// Calls that were admitted.
    pub calls: i64,
    /// Those of them that gave their client no answer.
    pub failed: i64,
    /// Input tokens, cached ones included.
    pub input: i64,
    /// Cached input tokens.
    pub cached_input: i64,
    /// Output tokens.
    pub output: i64,
    /// Nano-USD.
    pub cost: i64,
}

impl Sums {
    /// One call that ended so.
    pub fn of(end: &End) -> Self {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        Self {
            calls: 1,
            failed: i64::from(end.failed()),
            input: signed(end.bill.input.get()),
            cached_input: signed(end.bill.cached_input.get()),
            output: signed(end.bill.output.get()),
            cost: signed(end.cost.get()),
        }
    }

    /// The sum of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.zip(other, i64::saturating_add)
    }

    /// The difference.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        self.zip(other, i64::saturating_sub)
    }

    fn zip(self, other: Self, with: fn(i64, i64) -> i64) -> Self {
        Self {
            calls: with(self.calls, other.calls),
            failed: with(self.failed, other.failed),
            input: with(self.input, other.input),
            cached_input: with(self.cached_input, other.cached_input),
            output: with(self.output, other.output),
            cost: with(self.cost, other.cost),
        }
    }

    /// The load that these sums put on limits.
    pub fn load(&self) -> Load {
        let unsigned = |number: i64| u64::try_from(number).unwrap_or(0);
        let (input, output) = (Tokens::new(unsigned(self.input)), Tokens::new(unsigned(self.output)));
        Load::used(input, output, NanoUsd::new(unsigned(self.cost)))
    }
}

/// A target that is not well: its row in the health table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthRow {
    /// `provider/model`.
    pub target: String,
    /// Until when it rests; zero: it is well again.
    pub rests_until: Millis,
    /// How often in a row it was sent to rest.
    pub rests: u32,
}

/// One change to be written; those of one turn are written together or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A call was admitted: a new ledger row.
    Opened(CallRow),
    /// What an open call holds, or its lease, has changed: its ledger row.
    Amended(CallRow),
    /// A call ended, or its end was corrected: its ledger row.
    Ended(CallRow),
    /// Sums to be added to a usage row.
    Usage(UsageKey, Sums),
    /// Usage rows now hold all calls before this place.
    Flushed(CallKey),
    /// A target's health changed.
    Health(HealthRow),
    /// A named call's row or answer changed.
    Name(NameChange),
    /// A provider has kept something of the tenant's.
    Kept {
        /// Its id.
        id: String,
        /// The provider.
        provider: String,
        /// When that was heard of.
        at: Millis,
        /// The work that goes on behind the answer that told of it.
        work: Option<Work>,
    },
    /// Of what is kept, no more is remembered than there is room for: the oldest goes.
    KeptSwept,
    /// What calls mostly use was learnt: by its name.
    Habit(String, Habit),
    /// A key that can never call again is forgotten, and what was learnt of its calls.
    KeyGone(KeyId),
    /// What is beyond a limit, and so owed, is more or less: to be added to a debt, which goes at zero.
    Debt(DebtKey, i64),
}

/// A call whose provider works on behind its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// The call's place.
    pub at: CallKey,
    /// Its name.
    pub call: String,
    /// The `provider/model` that works.
    pub target: String,
}

/// Which window repays a debt, of which limit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DebtKey {
    /// The limit's name; of one that stands in a key's own policy behind the key's and `/`.
    pub limit: String,
    /// The key whose calls it counts; empty: the tenant's.
    pub key: String,
    /// When the window begins.
    pub start: Millis,
}
