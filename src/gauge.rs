//! How the limits that cover a call stand when it is decided: what the headers of its answer tell.
//!
//! The object sends them with every admission and with every refusal by limits, so there are few of them, and they are
//! small.

use crate::limits::Standing;
use crate::policy::What;
use crate::units::{Amount, Millis};
use crate::window::Window;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// As many limits are told of one call; above that only the tightest of each kind.
pub const TOLD_MAX: usize = 16;

/// The limits that cover a call, the tightest first.
///
/// On the wire they are one short text, which costs less than a document: `as_of`, then the limits behind a `;` each, as
/// name, what, length, `c` for a calendar, max, used, held and end with spaces between; what is nothing is left empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// When they stood so.
    pub as_of: Millis,
    /// Those that are told: of limits on money the tightest alone.
    pub all: Vec<Gauge>,
}

/// One limit as it stands; amounts in its own unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gauge {
    /// The limit's name.
    pub name: String,
    /// What it counts.
    pub what: What,
    /// How long its window is; `None`: a lifetime, or the moment.
    pub length: Option<Millis>,
    /// Whether its window is a calendar period.
    pub calendar: bool,
    /// The most that it allows just then.
    pub max: Amount,
    /// Settled in its window.
    pub used: Amount,
    /// Held by calls under way.
    pub held: Amount,
    /// When its window will have let go of all that is settled; `None`: never, or nothing is.
    pub resets_at: Option<Millis>,
}

impl Gauges {
    /// What is told of `standings` at `now`.
    pub fn of(now: Millis, standings: Vec<Standing<'_>>) -> Self {
        // There are few, so each is put in its place; sorting code would be larger than all else here.
        let mut sorted: Vec<Standing<'_>> = Vec::with_capacity(standings.len());
        for standing in standings {
            let place = sorted.partition_point(|other| other.by_room(&standing).is_le());
            sorted.insert(place, standing);
        }
        let mut told: Vec<Gauge> = Vec::with_capacity(sorted.len().min(TOLD_MAX));
        for standing in &sorted {
            let what = standing.limit.what;
            let first = told.iter().all(|gauge| gauge.what != what);
            if first || (told.len() < TOLD_MAX && what != What::Cost) {
                told.push(Gauge::of(now, standing));
            }
        }
        Self { as_of: now, all: told }
    }

    /// The tightest limit on `what`.
    pub fn tightest(&self, what: What) -> Option<&Gauge> {
        self.all.iter().find(|gauge| gauge.what == what)
    }

    /// The tightest limit on money; where there is none, the tightest quota of a calendar period.
    pub fn budget(&self) -> Option<&Gauge> {
        self.tightest(What::Cost).or_else(|| self.all.iter().find(|gauge| gauge.calendar))
    }

    /// How long until all of `gauge` is left again, as of when it stood so.
    pub fn reset(&self, gauge: &Gauge) -> Option<Millis> {
        gauge.resets_at.map(|at| at.minus(self.as_of))
    }
}

impl Gauge {
    fn of(now: Millis, standing: &Standing<'_>) -> Self {
        let window = standing.limit.window;
        let length = match window {
            Window::Rolling(span) => Some(span),
            Window::Calendar(period) => standing.resets_at.map(|end| end.minus(period.start(now))),
            Window::Moment => None,
        };
        Self {
            name: standing.limit.name.clone(),
            what: standing.limit.what,
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

impl fmt::Display for Gauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_of)?;
        for Gauge { name, what, length, calendar, max, used, held, resets_at } in &self.all {
            write!(f, ";{name} {} ", what.name())?;
            length.map_or(Ok(()), |length| write!(f, "{length}"))?;
            write!(f, " {} {max} {used} {held} ", if *calendar { "c" } else { "" })?;
            resets_at.map_or(Ok(()), |at| write!(f, "{at}"))?;
        }
        Ok(())
    }
}

impl Gauges {
    /// Reads what the other side wrote; a limit that it knows more of than we do is passed over.
    fn parse(text: &str) -> Self {
        let mut parts = text.split(';');
        let as_of = parts.next().and_then(|as_of| as_of.parse().ok()).map_or(Millis::ZERO, Millis::new);
        Self { as_of, all: parts.filter_map(Gauge::parse).collect() }
    }
}

impl Gauge {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let mut word = || words.next().unwrap_or_default();
        let instant = |word: &str| word.parse().ok().map(Millis::new);
        let amount = |word: &str| word.parse().ok().map(Amount::new);
        Some(Self {
            name: word().to_owned(),
            what: What::named(word())?,
            length: instant(word()),
            calendar: word() == "c",
            max: amount(word())?,
            used: amount(word())?,
            held: amount(word())?,
            resets_at: instant(word()),
        })
    }
}

impl Serialize for Gauges {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Gauges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::parse(&String::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::Field;
    use crate::key::KeyId;
    use crate::limits::{Caller, Limits};
    use crate::policy::{Per, Policy};
    use serde_json::{Value, json};

    /// The names that are told to a caller of `limits` who has made no call yet.
    fn told(limits: Vec<Value>) -> Vec<String> {
        let policy = Policy::read(&Field::root("policy", &json!({"limits": limits})), Per::Tenant).unwrap();
        let mut limits = Limits::new(&policy.limits, std::iter::empty());
        let caller = Caller { key: &KeyId::parse("a").unwrap(), model: "m" };
        let now = Millis::new(1_796_083_140_000);
        Gauges::of(now, limits.covering(now, caller)).all.into_iter().map(|gauge| gauge.name).collect()
    }

    #[test]
    fn what_is_told_is_bounded_and_holds_the_tightest_of_each_kind() {
        let requests =
            |nth: u64| json!({"name": format!("r{nth}"), "what": "requests", "window": "60s", "max": nth / 20});
        let mut limits: Vec<Value> = (0..28).map(requests).collect();
        limits.push(json!({"name": "money", "what": "cost", "window": "day", "max": "1"}));
        limits.push(json!({"name": "less-money", "what": "cost", "window": "day", "max": "0"}));
        limits.push(json!({"name": "tokens", "what": "tokens", "window": "month", "max": 5}));
        limits.push(json!({"name": "others", "what": "tokens", "models": ["x"], "window": "month", "max": 5}));
        let told = told(limits);
        assert_eq!(told.len(), TOLD_MAX + 1, "{told:?}");
        assert_eq!(told[0], "less-money", "of those that have nothing left the one that lasts longest comes first");
        assert!(told.contains(&"tokens".to_owned()) && !told.contains(&"money".to_owned()));
        assert!(told[1..].iter().take(15).all(|name| name.starts_with('r')));
    }

    #[test]
    fn what_is_written_is_read_and_what_only_a_newer_object_knows_is_passed_over() {
        let text = "5;rpm requests 60000  600 188 0 65;monthly cost 2592000000 c 25 2 1 9;busy concurrency   8 0 3 ";
        let gauges = Gauges::parse(text);
        assert_eq!(gauges.to_string(), text);
        let rpm = &gauges.all[0];
        assert_eq!((rpm.remaining(), gauges.reset(rpm)), (Amount::new(412), Some(Millis::new(60))));
        let busy = &gauges.all[2];
        assert_eq!((busy.length, busy.calendar, busy.resets_at), (None, false, None));
        assert!(gauges.all[1].calendar);

        let newer = format!("5;x images 60000  3 0 0 65 more;{} more;", &text[2..]);
        assert_eq!(Gauges::parse(&newer), gauges);
        assert_eq!(Gauges::parse(""), Gauges::default());
        assert_eq!(serde_json::from_str::<Gauges>(&serde_json::to_string(&gauges).unwrap()).unwrap(), gauges);
    }
}
