//! How much output a call may have: what it wishes, or what its limits have left.

use crate::bound::InputBound;
use crate::catalog::Model;
use crate::habit::Habit;
use crate::limits::{Caller, Limits};
use crate::policy::Shortfall;
use crate::price::Prices;
use crate::units::{Millis, Tokens};
use crate::wire::Ask;

/// A call that gives no cap of its own, or one that its budgets cannot carry, takes this part of what is
/// left, or twice what 95 of 100 such calls stay within if that is more: the others want to go on, too.
/// `tests/simulation.rs` shows what this is worth.
const SHARE: u64 = 8;

/// The output that a call wishes for.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// For each answer; nothing where the endpoint has no output.
    each: Tokens,
    /// How many answers.
    choices: u64,
    /// The output that no cap holds back, for all answers together.
    uncapped: Tokens,
    /// Whether the client said so itself.
    capped: bool,
    /// What such calls mostly use.
    habit: Option<&'a Habit>,
}

/// The output that a call may have.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// What it wished for, for each answer.
    pub wanted: Tokens,
    /// What budgets hold, for each answer.
    pub each: Tokens,
    /// What rolling windows hold, for all answers.
    pub likely: Tokens,
    /// The cap that the request must carry; `None`: no limit asks for one.
    pub cap: Option<Tokens>,
    /// What is left for each answer, where that is too little.
    pub affordable: Option<Tokens>,
}

impl<'a> Wish<'a> {
    /// What `ask` wishes for: its own cap, or the most that the model answers.
    pub fn of(ask: &Ask, model: &Model, habit: Option<&'a Habit>) -> Self {
        let each = match ask.output_cap {
            _ if !ask.output => Tokens::ZERO,
            None => model.output_bound(),
            Some(cap) => model.max_output.map_or(cap, |max| cap.min(max)),
        };
        Self { each, choices: ask.choices, uncapped: ask.uncapped_output(), capped: ask.output_cap.is_some(), habit }
    }

    /// What of it the limits allow. Where they have less left, the cap is lowered as far as the
    /// policy lets it; else what is held is what the call would need, for the limits to refuse.
    pub fn fit(
        self,
        limits: &mut Limits,
        now: Millis,
        caller: Caller<'_>,
        input: InputBound,
        prices: &Prices,
        (on_shortfall, fit_min): (Shortfall, Tokens),
    ) -> Output {
        let wanted = self.each;
        if wanted == Tokens::ZERO || !limits.bound_output(caller) {
            return self.output(wanted, None, None);
        }
        let fits = on_shortfall == Shortfall::Fit;
        let Some(all) = limits.affordable_output(now, caller, input, prices, true) else {
            return self.output(wanted, Some(wanted), None);
        };
        let affordable = self.afforded(all);
        let least = fit_min.min(wanted);
        if fits && affordable >= least && (affordable < wanted || !self.capped) {
            let each = self.modest(affordable, least);
            return self.output(each, Some(each), None);
        }
        // Rolling windows hold only what is likely: where budgets have enough, that has to fit.
        let budgets = |limits: &mut Limits| limits.affordable_output(now, caller, input, prices, false);
        let likely_fits = || self.likely(wanted) <= all;
        if affordable >= wanted || (likely_fits() && budgets(limits).is_none_or(|all| self.afforded(all) >= wanted)) {
            return self.output(wanted, Some(wanted), None);
        }
        // A rolling window may let it pass all the same: then it must not answer more than is held.
        self.output(if fits { least } else { wanted }, fits.then_some(least), Some(affordable))
    }

    /// What of `affordable` the call takes where it may not have, or did not name, all that it can use.
    fn modest(self, affordable: Tokens, least: Tokens) -> Tokens {
        let most = affordable.min(self.each);
        let mostly = self.habit.and_then(|habit| habit.output(95)).map(|all| self.for_each(all.times(2)));
        let share = Tokens::new(affordable.get() / SHARE);
        mostly.map_or(most, |mostly| most.min(mostly.max(share).max(least)))
    }

    /// What of `all` that is left each answer may be capped at.
    fn afforded(self, all: Tokens) -> Tokens {
        self.for_each(all.minus(self.uncapped))
    }

    fn for_each(self, all: Tokens) -> Tokens {
        Tokens::new(all.get().checked_div(self.choices).unwrap_or(0))
    }

    fn output(self, each: Tokens, cap: Option<Tokens>, affordable: Option<Tokens>) -> Output {
        Output { wanted: self.each, each, likely: self.likely(each), cap, affordable }
    }

    /// The output that all answers mostly have together, of `each` at most.
    fn likely(self, each: Tokens) -> Tokens {
        let all = each.times(self.choices);
        self.habit.and_then(|habit| habit.output(95)).map_or(all, |likely| likely.min(all))
    }
}
