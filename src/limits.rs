//! All limits of a tenant and its keys: what each has counted, and whether a call fits them all.
//!
//! A call is checked against every limit that covers it, and only then counted in all of them.
//! Requests count when they are admitted; tokens and money are held first and settled later;
//! concurrency is nothing but holds. [`Limits`] has which limits there are and lets them be changed, `restore` counts what rows
//! tell of.

use crate::bound::InputBound;
use crate::key::KeyId;
use crate::policy::{Limit, What};
use crate::price::Prices;
use crate::units::{Amount, Millis, NanoUsd, Tokens};
use crate::window::Tally;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

mod debts;
mod restore;
mod rule;
mod set;

use rule::{Changed, Late};

pub use rule::Whose;
pub use set::Limits;

/// What a call uses, or may use at most; what is likely is what rolling windows hold of a call under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Input tokens, cached ones included.
    pub input: Tokens,
    /// Output tokens.
    pub output: Tokens,
    /// The input that such calls mostly have; of a call that has ended: its input.
    pub likely_input: Tokens,
    /// The output that such calls mostly have; of a call that has ended: its output.
    pub likely_output: Tokens,
    /// Money.
    pub cost: NanoUsd,
}

impl Load {
    /// What a call has used.
    pub const fn used(input: Tokens, output: Tokens, cost: NanoUsd) -> Self {
        Self { input, output, likely_input: input, likely_output: output, cost }
    }

    /// The part of the load that `limit` counts.
    pub fn amount(&self, limit: &Limit) -> Amount {
        let rolling = limit.window.span().is_some();
        let (input, output) = if rolling { (self.likely_input, self.likely_output) } else { (self.input, self.output) };
        Amount::new(match limit.what {
            What::Requests | What::Concurrency => 1,
            What::Tokens => input.plus(output).get(),
            What::InputTokens => input.get(),
            What::OutputTokens => output.get(),
            What::Cost => self.cost.get(),
        })
    }
}

/// Who calls what: what decides which limits cover a call.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The key that was presented.
    pub key: &'a KeyId,
    /// The model as the client names it.
    pub model: &'a str,
}

/// One limit as it stands for one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing<'a> {
    /// The limit.
    pub limit: &'a Limit,
    /// The most that it allows just now.
    pub max: Amount,
    /// Settled in its window.
    pub settled: Amount,
    /// Held by calls under way.
    pub held: Amount,
    /// What of `settled` is an earlier window's debt.
    pub debt: Amount,
    /// When its window will have let go of all that is settled; `None`: never, or nothing is.
    pub resets_at: Option<Millis>,
}

impl Standing<'_> {
    /// What is left.
    pub fn remaining(&self) -> Amount {
        self.max.minus(self.settled.plus(self.held))
    }

    /// The order of what is left, as a part of the whole: the tightest first, of equally tight ones the longest window.
    pub fn by_room(&self, other: &Self) -> Ordering {
        let room = |of: &Self, by: &Self| u128::from(of.remaining().get()).saturating_mul(by.max.get().max(1).into());
        room(self, other).cmp(&room(other, self)).then_with(|| other.limit.window.cmp(&self.limit.window))
    }
}

/// Why a limit stands in a call's way, the least lasting first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// As many calls are under way as may be.
    Busy,
    /// Calls under way hold what is left; some of it will come back.
    Reserved,
    /// A rolling window is full, and will move on.
    Rate,
    /// What was settled fills a calendar window or a lifetime.
    Exhausted,
    /// The call asks for more than the limit could ever hold.
    Never,
}

/// One limit that stands in a call's way: amounts in the limit's own unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The limit's name.
    pub name: String,
    /// What it counts.
    pub what: String,
    /// Whose calls it counts together.
    pub per: String,
    /// Its window's name.
    pub window: String,
    /// The most it allows.
    pub max: Amount,
    /// Settled in its window.
    pub settled: Amount,
    /// Held by calls under way.
    pub held: Amount,
    /// What this call would add.
    pub asked: Amount,
    /// Why it blocks.
    pub cause: Cause,
    /// How long until it may let such a call pass; `None`: not known, or never.
    pub wait: Option<Millis>,
}

impl Limits {
    /// Whether a limit on tokens or money covers such a call, so that its output must be bounded.
    pub fn bound_output(&self, caller: Caller<'_>) -> bool {
        let bounds = |what| matches!(what, What::Tokens | What::OutputTokens | What::Cost);
        self.any(caller, |limit| bounds(limit.what))
    }

    /// Whether a limit on money covers such a call.
    pub fn bound_cost(&self, caller: Caller<'_>) -> bool {
        self.any(caller, |limit| limit.what == What::Cost)
    }

    /// The most output that every limit has left for a call of this `input`, for all its answers
    /// together; `None`: no limit bounds it. Without `rolling`, rolling windows are left out: they
    /// hold only what is likely.
    pub fn affordable_output(
        &mut self,
        now: Millis,
        caller: Caller<'_>,
        input: InputBound,
        prices: &Prices,
        rolling: bool,
    ) -> Option<Tokens> {
        self.covering_rules(caller)
            .filter(|rule| rolling || rule.limit.window.span().is_none())
            .filter_map(|rule| {
                let calendar = rule.limit.window.span().is_none();
                let input_tokens = if calendar { input.ceiling } else { input.estimate };
                let room = rule.standing(now).remaining();
                output_within(rule.limit.what, room, input_tokens, input, prices)
            })
            .min()
    }

    /// The limits that `load` does not fit; changes nothing.
    pub fn blocks(&mut self, now: Millis, caller: Caller<'_>, load: &Load, first_lease: Option<Millis>) -> Vec<Block> {
        self.covering_rules(caller).filter_map(|rule| rule.block(now, load, first_lease)).collect()
    }

    /// Counts a call that was admitted at `at`: what is certain at once, the rest as held.
    pub fn reserve(&mut self, at: Millis, now: Millis, caller: Caller<'_>, load: &Load) {
        for rule in self.covering_rules(caller) {
            rule.reserve(at, now, load);
        }
    }

    /// Holds `after` in place of `before` for a call that was admitted at `at` and is still under way.
    pub fn amend(&mut self, at: Millis, now: Millis, caller: Caller<'_>, before: &Load, after: &Load) {
        self.change((at, now), caller, (before, after), None, |tally, _, before, after| tally.amend(at, before, after));
    }

    /// The most output that a call under way, which holds `held` in all, can have so that no budget
    /// is above its limit; `None`: all that it holds. Budgets are limits on money and on tokens over
    /// calendar windows.
    pub fn carried_output(
        &mut self,
        at: Millis,
        now: Millis,
        caller: Caller<'_>,
        held: &Load,
        input: InputBound,
        prices: &Prices,
    ) -> Option<Tokens> {
        self.covering_rules(caller)
            .filter(|rule| rule.limit.window.span().is_none())
            .filter_map(|rule| {
                let own = held.amount(&rule.limit);
                let standing = rule.standing(now);
                let over = standing.settled.plus(standing.held).minus(standing.max);
                if over == Amount::ZERO || !rule.tally(now).covers_hold(at) {
                    return None;
                }
                output_within(rule.limit.what, own.minus(over), held.input, input, prices)
            })
            .min()
    }

    /// Ends the hold of a call admitted at `at`, and counts what it used in its place.
    pub fn settle(&mut self, at: Millis, now: Millis, caller: Caller<'_>, held: &Load, used: &Load) {
        self.change((at, now), caller, (held, used), None, |tally, what, held, used| match what {
            What::Concurrency => tally.post(at, held, Amount::ZERO),
            _ => tally.post(at, held, used),
        });
    }

    /// Counts another load in place of that of a call that had already ended: `loads` before and after; `late` is when it ended so, and
    /// what it cost beyond its hold.
    pub fn correct(
        &mut self,
        at: Millis,
        now: Millis,
        caller: Caller<'_>,
        loads: (&Load, &Load),
        (ended_at, beyond): (Millis, NanoUsd),
    ) {
        let late = Late { ended_at, beyond: Amount::new(beyond.get()) };
        self.change((at, now), caller, loads, Some(late), |tally, what, before, after| {
            if what != What::Concurrency {
                tally.correct(at, before, after);
            }
        });
    }

    /// Lets every limit that covers such a call `count` that it has `after` in place of `before`; of all but requests, which are certain
    /// once they are admitted.
    fn change(
        &mut self,
        (at, now): (Millis, Millis),
        caller: Caller<'_>,
        (before, after): (&Load, &Load),
        late: Option<Late>,
        count: impl Fn(&mut Tally, What, Amount, Amount),
    ) {
        let mut debts = std::mem::take(&mut self.debts);
        for rule in self.covering_rules(caller).filter(|rule| rule.limit.what != What::Requests) {
            let (what, before, after) = (rule.limit.what, before.amount(&rule.limit), after.amount(&rule.limit));
            let change = Changed { at, before, after, late };
            rule.change(now, caller.key, change, &mut debts, |tally| count(tally, what, before, after));
        }
        self.debts = debts;
    }

    /// Every limit that applies to `key`, as it stands.
    pub fn standings(&mut self, now: Millis, key: &KeyId) -> Vec<Standing<'_>> {
        self.rules(key).map(|rule| rule.standing(now)).collect()
    }

    /// Every limit that covers such a call, as it stands.
    pub fn covering(&mut self, now: Millis, caller: Caller<'_>) -> Vec<Standing<'_>> {
        self.covering_rules(caller).map(|rule| rule.standing(now)).collect()
    }
}

/// The output that `room` of a limit on `what` is enough for beside the input, which is `input_tokens` of a limit
/// on tokens; `None`: any amount.
fn output_within(what: What, room: Amount, input_tokens: Tokens, input: InputBound, prices: &Prices) -> Option<Tokens> {
    match what {
        What::OutputTokens => Some(Tokens::new(room.get())),
        What::Tokens => Some(Tokens::new(room.get()).minus(input_tokens)),
        What::Cost => {
            let room = NanoUsd::new(room.get()).minus(input.reserve);
            prices.affordable_output(input.ceiling, input.kinds, room)
        }
        What::Requests | What::InputTokens | What::Concurrency => None,
    }
}
