//! What rows tell of the past: which of them are to be read for limits that count nothing yet, and how they are counted.
//!
//! Memory has the calls that no usage row holds, and the sums of the open periods by model: what calendar windows of limits on all
//! calls count. Those of limits that count each key need its sums, in usage rows, and rolling windows what each cell of theirs has
//! seen.

use super::{Tenant, open_periods};
use crate::key::KeyId;
use crate::limits::{Caller, Whose};
use crate::rows::{CallKey, CallRow, Grain, Sums, UsageKey};
use crate::units::Millis;
use crate::usage::grain;
use crate::window::{Period, Window};
use std::collections::{BTreeMap, BTreeSet};

/// As many widths of cells are read one by one; of more, every millisecond is.
const WIDTHS_MAX: usize = 3;

/// The rows to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Of calls that have ended.
    pub calls: Vec<CallsRead>,
    /// Of usage.
    pub usage: Vec<UsageRead>,
}

/// The calls before what is flushed, summed up by cell, key and model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallsRead {
    /// From where on.
    pub from: CallKey,
    /// How wide a cell is; `None`: a millisecond, for windows of any width.
    pub cell: Option<Millis>,
    /// The one key whose calls are wanted.
    pub key: Option<KeyId>,
}

/// The usage rows of a grain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRead {
    /// How much time a row covers.
    pub grain: Grain,
    /// From when on; of one key's rows: those that begin then.
    pub start: Millis,
    /// The one key whose rows are wanted.
    pub key: Option<KeyId>,
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// The calls of a cell.
    pub calls: Vec<PastCalls>,
    /// The usage rows.
    pub usage: Vec<(UsageKey, Sums)>,
}

/// Calls of one key to one model that one cell of a rolling window holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastCalls {
    /// How wide the cell is, as [`CallsRead::cell`] had it.
    pub cell: Option<Millis>,
    /// When the cell ends.
    pub at: Millis,
    /// The key.
    pub key: KeyId,
    /// The model.
    pub model: String,
    /// What they used.
    pub sums: Sums,
}

impl CallsRead {
    /// Sums up `calls`, as the storage does: what those of them that are wanted come to, by cell, key and model.
    pub fn sum<'a>(&self, calls: impl Iterator<Item = &'a CallRow>) -> Vec<PastCalls> {
        let mut cells: BTreeMap<(u64, &KeyId, &str), Sums> = BTreeMap::new();
        let width = self.cell.map_or(1, Millis::get).max(1);
        for row in calls.filter(|row| row.at >= self.from && self.key.as_ref().is_none_or(|key| *key == row.key)) {
            let end = row.at.millis().get().div_ceil(width).saturating_mul(width);
            let sums = cells.entry((end, &row.key, &row.model)).or_default();
            *sums = sums.plus(row.end.as_ref().map(Sums::of).unwrap_or_default());
        }
        let cell = |((end, key, model), sums): ((u64, &KeyId, &str), Sums)| PastCalls {
            cell: self.cell,
            at: Millis::new(end),
            key: key.clone(),
            model: model.to_owned(),
            sums,
        };
        cells.into_iter().map(cell).collect()
    }
}

impl UsageRead {
    /// Whether it wants the row of `usage`.
    pub fn wants(&self, usage: &UsageKey) -> bool {
        match &self.key {
            None => usage.grain == self.grain && usage.start >= self.start,
            Some(key) => usage.grain == self.grain && usage.start == self.start && usage.key == *key,
        }
    }
}

impl Reads {
    /// Adds what limits on all calls over `windows` must know at `now`, and such that count `each` key.
    pub(super) fn add(&mut self, now: Millis, windows: &BTreeSet<Window>, each: &BTreeSet<Window>) {
        let cells = cells(&windows.union(each).copied().collect());
        let read = |cell, reach: Millis| CallsRead { from: CallKey::at(now.minus(reach)), cell, key: None };
        if cells.len() > WIDTHS_MAX {
            self.calls.push(read(None, cells.into_values().max().unwrap_or_default()));
        } else {
            self.calls.extend(cells.into_iter().map(|(cell, reach)| read(Some(cell), reach)));
        }
        self.usage.extend(grains(now, each).into_iter().map(|(grain, start)| UsageRead { grain, start, key: None }));
    }

    /// Adds what limits over `windows` must know of one key, as far as it is not read of all.
    pub(super) fn add_key(&mut self, now: Millis, windows: &BTreeSet<Window>, key: &KeyId) {
        for (cell, reach) in cells(windows) {
            let read = |read: &CallsRead| read.key.is_none() && read.cell.is_none_or(|own| own == cell);
            if !self.calls.iter().any(read) {
                let from = CallKey::at(now.minus(reach));
                self.calls.push(CallsRead { from, cell: Some(cell), key: Some(key.clone()) });
            }
        }
        for (grain, mut start) in grains(now, windows) {
            if self.usage.iter().any(|read| read.key.is_none() && read.grain == grain) {
                continue;
            }
            loop {
                self.usage.push(UsageRead { grain, start, key: Some(key.clone()) });
                start = start.plus(Millis::from_secs(86_400));
                if grain != Grain::Day || start > now {
                    break;
                }
            }
        }
    }
}

/// How wide the cells of rolling windows are, and how far back those of each width reach.
fn cells(windows: &BTreeSet<Window>) -> BTreeMap<Millis, Millis> {
    let mut cells: BTreeMap<Millis, Millis> = BTreeMap::new();
    for window in windows {
        if let (Some(cell), Some(reach)) = (window.cell(), window.reach()) {
            let longest = cells.entry(cell).or_default();
            *longest = reach.max(*longest);
        }
    }
    cells
}

/// The usage rows that calendar windows begin with: from when on, for each grain.
fn grains(now: Millis, windows: &BTreeSet<Window>) -> BTreeMap<Grain, Millis> {
    let calendar = windows.iter().filter_map(|window| match window {
        Window::Calendar(period) => Some(grain(*period)),
        Window::Rolling(_) | Window::Moment => None,
    });
    let wanted: BTreeSet<Grain> = calendar.collect();
    open_periods(now).into_iter().filter(|(grain, _)| wanted.contains(grain)).collect()
}

impl Tenant {
    /// Counts what was read, and what memory has, in the limits that count nothing yet; ends the edit.
    pub(super) fn count(&mut self, past: &Past) {
        let (now, nobody) = (self.now, KeyId::default());
        self.periods.advance(now);
        for period in Period::ALL {
            for (at, model, sums) in self.periods.models(period) {
                // Of no key: so it counts where all calls count together.
                let caller = Caller { key: &nobody, model };
                let all = |whose, window| whose == Whose::Tenant && window == Window::Calendar(period);
                self.limits.restore(at, now, caller, count(sums.calls), &sums.load(), all);
            }
        }
        for (usage, sums) in &past.usage {
            let caller = Caller { key: &usage.key, model: &usage.model };
            let covers = |window| matches!(window, Window::Calendar(period) if grain(period) == usage.grain);
            let each = |whose, window| whose != Whose::Tenant && covers(window);
            self.limits.restore(usage.start, now, caller, count(sums.calls), &sums.load(), each);
        }
        for calls in &past.calls {
            let caller = Caller { key: &calls.key, model: &calls.model };
            let cell = |_, window: Window| window.cell().is_some_and(|cell| calls.cell.is_none_or(|own| own == cell));
            self.limits.restore(calls.at, now, caller, count(calls.sums.calls), &calls.sums.load(), cell);
        }
        for row in self.ledger.open() {
            let caller = Caller { key: &row.key, model: &row.model };
            self.limits.restore_open(row.at.millis(), now, caller, &row.held);
        }
        for row in self.ledger.unflushed() {
            let caller = Caller { key: &row.key, model: &row.model };
            let used = row.end.as_ref().map(crate::rows::End::load).unwrap_or_default();
            self.limits.restore(row.at.millis(), now, caller, 1, &used, |_, _| true);
        }
        self.limits.take_up_debts(now);
        self.limits.counted();
    }
}

fn count(calls: i64) -> u64 {
    u64::try_from(calls).unwrap_or(0)
}
