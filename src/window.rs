//! Which stretch of time a limit counts over, and what was used in it.
//!
//! A rolling window is an exact log: no interval of its length ever holds more than the limit.
//! The log keeps one cell for each millisecond, for windows above a minute one for each
//! 60,000th of the window, and dates a cell at its end, so that rounding only ever refuses.
//! A calendar window is one number that starts anew with its period (UTC).

use crate::units::{Amount, CEILING, Millis};
use chrono::{DateTime, Datelike, Months, NaiveDate};
use owed::Owed;
use std::collections::VecDeque;

mod debt;
mod owed;

/// The longest rolling window: an hour.
pub const ROLLING_MAX: Millis = Millis::from_secs(3_600);
const DAY: u64 = 86_400_000;
const CELLS_MAX: u64 = 60_000;

/// The stretch of time that a limit counts over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Window {
    /// The last so many milliseconds, at every instant.
    Rolling(Millis),
    /// The calendar period that holds the instant, in UTC.
    Calendar(Period),
    /// The instant itself: only holds count, as concurrency does.
    Moment,
}

/// A calendar period in UTC; weeks start on Monday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// From each full hour.
    Hour,
    /// From midnight.
    Day,
    /// From Monday, midnight.
    Week,
    /// From the first of the month, midnight.
    Month,
    /// From the beginning, for ever.
    Lifetime,
}

impl Window {
    /// Reads `1s` to `1h` (with `s`, `m` or `h`), or a period's name.
    pub fn parse(text: &str) -> Option<Self> {
        let period = Period::ALL.into_iter().find(|period| period.name() == text);
        if let Some(period) = period {
            return Some(Self::Calendar(period));
        }
        let seconds = parse_seconds(text)?;
        (1..=3_600).contains(&seconds).then_some(Self::Rolling(Millis::from_secs(seconds)))
    }

    /// What [`Window::parse`] reads: `60s`, `month`.
    pub fn name(self) -> String {
        match self {
            Self::Rolling(span) => format!("{}s", span.as_secs_ceil()),
            Self::Calendar(period) => period.name().to_owned(),
            Self::Moment => "moment".to_owned(),
        }
    }

    /// How far back the window reaches, where that is fixed: its span and the width of a cell.
    pub fn reach(self) -> Option<Millis> {
        Some(self.span()?.plus(self.cell()?))
    }

    /// The width of its cells: calls of one cell are counted as of its end.
    pub fn cell(self) -> Option<Millis> {
        self.span().map(|span| Millis::new(cell_width(span)))
    }

    /// How long the window is, where that is fixed.
    pub fn span(self) -> Option<Millis> {
        match self {
            Self::Rolling(span) => Some(span),
            Self::Calendar(_) | Self::Moment => None,
        }
    }
}

/// A span such as `30s`, `10m` or `1h` in seconds.
pub fn parse_seconds(text: &str) -> Option<u64> {
    let unit = match text.chars().last()? {
        's' => 1_u64,
        'm' => 60,
        'h' => 3_600,
        _ => return None,
    };
    let digits = text.get(..text.len().checked_sub(1)?)?;
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !plain {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

impl Period {
    /// Every period, the shortest first.
    pub const ALL: [Self; 5] = [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Lifetime];

    /// `hour`, `day`, `week`, `month` or `lifetime`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Lifetime => "lifetime",
        }
    }

    /// When the period that holds `now` began.
    pub fn start(self, now: Millis) -> Millis {
        let (ms, day) = (now.get(), now.get() / DAY);
        match self {
            Self::Hour => Millis::new(ms.saturating_sub(ms % 3_600_000)),
            Self::Day => Millis::new(day.saturating_mul(DAY)),
            // 1 January 1970 was a Thursday, three days after a Monday.
            Self::Week => Millis::new(day.saturating_sub(day.saturating_add(3) % 7).saturating_mul(DAY)),
            Self::Month => month(now).map_or(Millis::ZERO, midnight),
            Self::Lifetime => Millis::ZERO,
        }
    }

    /// When the period that holds `now` ends; `None` for a lifetime.
    pub fn end(self, now: Millis) -> Option<Millis> {
        let start = self.start(now);
        match self {
            Self::Hour => Some(start.plus(Millis::new(3_600_000))),
            Self::Day => Some(start.plus(Millis::new(DAY))),
            Self::Week if now.get() / DAY < 4 => Some(Millis::new(DAY.saturating_mul(4))),
            Self::Week => Some(start.plus(Millis::new(DAY.saturating_mul(7)))),
            Self::Month => month(now)?.checked_add_months(Months::new(1)).map(midnight),
            Self::Lifetime => None,
        }
    }
}

fn month(now: Millis) -> Option<NaiveDate> {
    let instant = DateTime::from_timestamp_millis(i64::try_from(now.get()).ok()?)?;
    instant.date_naive().with_day(1)
}

fn midnight(day: NaiveDate) -> Millis {
    let millis = day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis();
    Millis::new(u64::try_from(millis).unwrap_or(0))
}

/// What one limit has counted in its window: settled amounts, and holds not yet settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    counted: Counted,
    held: Amount,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Counted {
    /// `cells` by their end, oldest first; `sum` of all cells; whether some are `coarse`: several in one, as of the last one's end.
    Rolling { span: Millis, cells: VecDeque<(u64, u64)>, sum: u64, coarse: bool },
    /// What was settled in the period that began at `start`.
    Calendar { period: Period, start: Millis, sum: u64, owed: Owed },
    /// Nothing settled ever counts.
    Moment,
}

impl Tally {
    /// Nothing counted yet, at `now`; `max` is what a calendar window repays of a debt at most.
    pub fn new(window: Window, max: Amount, now: Millis) -> Self {
        let counted = match window {
            Window::Rolling(span) => Counted::Rolling { span, cells: VecDeque::new(), sum: 0, coarse: false },
            Window::Calendar(period) => {
                Counted::Calendar { period, start: period.start(now), sum: 0, owed: Owed::new(max) }
            }
            Window::Moment => Counted::Moment,
        };
        Self { counted, held: Amount::ZERO }
    }

    /// Moves the window to `now`: what lies outside is no longer counted.
    ///
    /// In a calendar window the holds of an earlier period stay with that period.
    pub fn advance(&mut self, now: Millis) {
        match &mut self.counted {
            Counted::Rolling { span, cells, sum, coarse } => {
                while let Some(&(end, amount)) = cells.front() {
                    if end.saturating_add(span.get()) > now.get() {
                        break;
                    }
                    *sum = sum.saturating_sub(amount);
                    cells.pop_front();
                }
                *coarse &= !cells.is_empty();
            }
            Counted::Calendar { period, start, sum, owed } => {
                let current = period.start(now);
                if current > *start {
                    (*start, *sum) = (current, owed.due(*period, current));
                    self.held = Amount::ZERO;
                }
            }
            Counted::Moment => {}
        }
    }

    /// How many cells it has.
    pub fn cells(&self) -> usize {
        if let Counted::Rolling { cells, .. } = &self.counted { cells.len() } else { 0 }
    }

    /// Makes one cell of each two, as of the later one's end: it counts as much, and lets go of it later.
    pub fn coarsen(&mut self) {
        if let Counted::Rolling { cells, coarse, .. } = &mut self.counted {
            let mut merged = VecDeque::with_capacity(cells.len().div_ceil(2));
            while let Some(first) = cells.pop_front() {
                let amount = |next: (u64, u64)| (next.0, first.1.saturating_add(next.1).min(CEILING));
                merged.push_back(cells.pop_front().map_or(first, amount));
            }
            (*cells, *coarse) = (merged, true);
        }
    }

    /// Whether it is as one that has counted nothing, as of the last [`Tally::advance`].
    pub fn is_new(&self) -> bool {
        let nothing = match &self.counted {
            Counted::Rolling { cells, .. } => cells.is_empty(),
            Counted::Calendar { sum, owed, .. } => *sum == 0 && owed.debts.is_empty(),
            Counted::Moment => true,
        };
        nothing && self.held == Amount::ZERO
    }

    /// What is settled in the window, as of the last [`Tally::advance`].
    pub fn settled(&self) -> Amount {
        match &self.counted {
            Counted::Rolling { sum, .. } | Counted::Calendar { sum, .. } => Amount::new(*sum),
            Counted::Moment => Amount::ZERO,
        }
    }

    /// What open holds may still add.
    pub fn held(&self) -> Amount {
        self.held
    }

    /// Holds `amount` for a call admitted at `at`.
    pub fn hold(&mut self, at: Millis, amount: Amount) {
        if self.covers_hold(at) {
            self.held = self.held.plus(amount);
        }
    }

    /// Holds `after` in place of `before` for a call admitted at `at`.
    pub fn amend(&mut self, at: Millis, before: Amount, after: Amount) {
        if self.covers_hold(at) {
            self.held = self.held.minus(before).plus(after);
        }
    }

    /// Ends a hold of `held` made at `at`, and counts `actual` in its place.
    pub fn post(&mut self, at: Millis, held: Amount, actual: Amount) {
        if self.covers_hold(at) {
            self.held = self.held.minus(held);
        }
        self.correct(at, Amount::ZERO, actual);
    }

    /// Counts `now` in place of `before` for a call admitted at `at` that no longer holds anything.
    pub fn correct(&mut self, at: Millis, before: Amount, now: Amount) {
        let change = |sum: u64| sum.saturating_sub(before.get()).saturating_add(now.get()).min(CEILING);
        match &mut self.counted {
            Counted::Calendar { period, start, sum, .. } => {
                if period.start(at) == *start {
                    *sum = change(*sum);
                }
            }
            Counted::Rolling { span, cells, sum, coarse } => {
                let end = cell_end(*span, at);
                let index = cells.partition_point(|&(cell, _)| cell < end);
                match cells.get_mut(index) {
                    Some((cell, amount)) if *cell == end => *amount = change(*amount),
                    // What was counted before has left the window, and so has what replaces it; or it is in a coarse cell, which
                    // keeps it, and what is more counts besides.
                    _ if now <= before || (before > Amount::ZERO && !*coarse) => return,
                    _ => cells.insert(index, (end, now.minus(before).get())),
                }
                *sum = change(*sum);
            }
            Counted::Moment => {}
        }
    }

    /// When `excess` of what is settled will have left the window; `None`: never.
    pub fn frees_at(&self, now: Millis, excess: Amount) -> Option<Millis> {
        match &self.counted {
            Counted::Calendar { period, .. } => period.end(now),
            Counted::Rolling { span, cells, .. } => {
                let mut freed = 0_u64;
                cells.iter().find_map(|&(end, amount)| {
                    freed = freed.saturating_add(amount);
                    (freed >= excess.get()).then(|| Millis::new(end.saturating_add(span.get())))
                })
            }
            Counted::Moment => Some(now),
        }
    }

    /// When what is settled will all have left the window; `None`: never, or nothing is counted.
    pub fn resets_at(&self, now: Millis) -> Option<Millis> {
        match &self.counted {
            Counted::Calendar { period, .. } => period.end(now),
            Counted::Rolling { span, cells, .. } => {
                cells.back().map(|&(end, _)| Millis::new(end.saturating_add(span.get())))
            }
            Counted::Moment => None,
        }
    }

    /// Whether a hold made at `at` weighs on this window: in a rolling one for as long as it is open.
    pub fn covers_hold(&self, at: Millis) -> bool {
        match &self.counted {
            Counted::Rolling { .. } | Counted::Moment => true,
            Counted::Calendar { period, start, .. } => period.start(at) == *start,
        }
    }
}

/// The end of the cell that holds `at`.
fn cell_end(span: Millis, at: Millis) -> u64 {
    let width = cell_width(span);
    at.get().div_ceil(width).saturating_mul(width)
}

fn cell_width(span: Millis) -> u64 {
    span.get().div_ceil(CELLS_MAX).max(1)
}

#[cfg(test)]
#[path = "window/tests.rs"]
mod tests;
