//! How the limits that cover a call stand when it is decided: what the headers of its answer tell.
//!
//! The object sends them with every admission and with every refusal by limits, so there are few of them, and they are
//! small.

use crate::limits::Standing;
use crate::policy::What;
use crate::units::{Amount, Millis, NanoUsd};
use crate::window::Window;
use serde::{Deserialize, Serialize};

/// As many limits are told of one call; above that only the tightest of each unit.
pub const TOLD_MAX: usize = 16;

/// The limits that cover a call, the tightest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gauges {
    /// When they stood so.
    pub as_of: Millis,
    /// Those that are told: of limits on money the tightest alone.
    pub all: Vec<Gauge>,
}

/// One limit as it stands; amounts in its own unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gauge {
    /// The limit's name.
    pub name: String,
    /// What it counts.
    pub unit: Unit,
    /// How long its window is; `None`: a lifetime, or the moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<Millis>,
    /// Whether its window is a calendar period.
    #[serde(skip_serializing_if = "is_default")]
    pub calendar: bool,
    /// The most that it allows just then.
    pub max: Amount,
    /// Settled in its window.
    #[serde(skip_serializing_if = "is_default")]
    pub used: Amount,
    /// Held by calls under way.
    #[serde(skip_serializing_if = "is_default")]
    pub held: Amount,
    /// When its window will have let go of all that is settled; `None`: never, or nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<Millis>,
}

/// What a limit counts, as both sides of a deployment know it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Admitted calls.
    Requests,
    /// Input and output tokens.
    Tokens,
    /// Input tokens.
    InputTokens,
    /// Output tokens.
    OutputTokens,
    /// Money, in nano-USD.
    Cost,
    /// Calls under way.
    Concurrency,
    /// Something that only the other side knows: it is not told.
    #[default]
    #[serde(other)]
    Other,
}

impl Unit {
    /// `amount` as texts write it: US dollars as a decimal, all else as a whole number.
    pub fn text(self, amount: Amount) -> String {
        if self == Self::Cost { NanoUsd::new(amount.get()).to_usd() } else { amount.to_string() }
    }
}

impl From<What> for Unit {
    fn from(what: What) -> Self {
        match what {
            What::Requests => Self::Requests,
            What::Tokens => Self::Tokens,
            What::InputTokens => Self::InputTokens,
            What::OutputTokens => Self::OutputTokens,
            What::Cost => Self::Cost,
            What::Concurrency => Self::Concurrency,
        }
    }
}

impl Gauges {
    /// What is told of `standings` at `now`.
    pub fn of<'a>(now: Millis, standings: impl Iterator<Item = Standing<'a>>) -> Self {
        let mut standings: Vec<Standing<'_>> = standings.collect();
        standings.sort_by(Standing::by_room);
        let mut told: Vec<Gauge> = Vec::with_capacity(standings.len().min(TOLD_MAX));
        for standing in &standings {
            let unit = Unit::from(standing.limit.what);
            let first = told.iter().all(|gauge| gauge.unit != unit);
            if first || (told.len() < TOLD_MAX && unit != Unit::Cost) {
                told.push(Gauge::of(now, unit, standing));
            }
        }
        Self { as_of: now, all: told }
    }

    /// The tightest limit on `unit`.
    pub fn tightest(&self, unit: Unit) -> Option<&Gauge> {
        self.all.iter().find(|gauge| gauge.unit == unit)
    }

    /// The tightest limit on money; where there is none, the tightest quota of a calendar period.
    pub fn budget(&self) -> Option<&Gauge> {
        self.tightest(Unit::Cost).or_else(|| self.all.iter().find(|gauge| gauge.calendar && gauge.unit != Unit::Other))
    }

    /// How long until all of `gauge` is left again, as of when it stood so.
    pub fn reset(&self, gauge: &Gauge) -> Option<Millis> {
        gauge.resets_at.map(|at| at.minus(self.as_of))
    }
}

impl Gauge {
    fn of(now: Millis, unit: Unit, standing: &Standing<'_>) -> Self {
        let window = standing.limit.window;
        let length = match window {
            Window::Rolling(span) => Some(span),
            Window::Calendar(period) => standing.resets_at.map(|end| end.minus(period.start(now))),
            Window::Moment => None,
        };
        Self {
            name: standing.limit.name.clone(),
            unit,
            length,
            calendar: matches!(window, Window::Calendar(_)),
            max: standing.max,
            used: standing.settled,
            held: standing.held,
            resets_at: standing.resets_at,
        }
    }

    /// What is left.
    pub fn remaining(&self) -> Amount {
        self.max.minus(self.used.plus(self.held))
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_a_newer_object_knows_is_passed_over() {
        let text = r#"{"as_of":5,"more":1,"all":[{"name":"x","unit":"images","max":3},{"name":"rpm","unit":"requests","max":7}]}"#;
        let gauges: Gauges = serde_json::from_str(text).unwrap();
        assert_eq!(gauges.all.iter().map(|gauge| gauge.unit).collect::<Vec<_>>(), [Unit::Other, Unit::Requests]);
        assert_eq!(gauges.tightest(Unit::Requests).unwrap().remaining(), Amount::new(7));
        assert_eq!(serde_json::from_str::<Gauges>("{}").unwrap(), Gauges::default());
    }

    #[test]
    fn a_gauge_is_small_on_the_wire() {
        let gauge = Gauge { name: "rpm".to_owned(), unit: Unit::Requests, max: Amount::new(600), ..Gauge::default() };
        assert_eq!(serde_json::to_string(&gauge).unwrap(), r#"{"name":"rpm","unit":"requests","max":600}"#);
    }
}
