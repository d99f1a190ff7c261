//! What rows tell of the past, counted by limits that are new: all of them where memory is rebuilt.

use super::debts::Debts;
use super::rule::{Rule, Whose};
use super::{Caller, Limits, Load};
use crate::key::KeyId;
use crate::policy::What;
use crate::rows::DebtKey;
use crate::units::{Amount, Millis};
use crate::window::Window;

impl Limits {
    /// Takes up what was read of debts.
    pub fn restore_debts(&mut self, debts: Vec<(DebtKey, Amount)>) {
        self.debts = Debts::restore(debts);
    }

    /// Lets limits that were named by this edit repay the debts of their name.
    pub fn take_up_debts(&mut self, now: Millis) {
        let (debts, edit) = (std::mem::take(&mut self.debts), self.edit);
        for (debt, amount) in debts.iter() {
            if let Some(rule) = self.debtor(debt).filter(|rule| rule.named_since == edit) {
                rule.tally(now).owe(debt.start, amount);
            }
        }
        self.debts = debts;
    }

    /// Lets the next windows owe no more than what the present ones have beyond their limits, which an edit has raised.
    pub fn review_debts(&mut self, now: Millis) {
        let mut debts = std::mem::take(&mut self.debts);
        for debt in debts.after(now) {
            if let Some(rule) = self.debtor(&debt) {
                rule.review(now, &debt, &mut debts);
            }
        }
        self.debts = debts;
    }

    /// Lets the next windows owe just what the present ones have beyond their maxima, and later ones nothing: a clock that was ahead
    /// has brought what later windows had counted into the present ones.
    pub fn reckon_debts(&mut self, now: Millis) {
        let mut debts = std::mem::take(&mut self.debts);
        for debt in debts.after(now) {
            if let Some(rule) = self.debtor(&debt) {
                rule.forgive_later(now, &debt, &mut debts);
            }
        }
        self.each_rule(|key, rule| rule.reckon(now, key, &mut debts));
        self.debts = debts;
    }

    /// The limit that repays `debt`; `None`: there is none of that name any more.
    fn debtor(&mut self, debt: &DebtKey) -> Option<&mut Rule> {
        let (owner, name) = debt.limit.split_once('/').unwrap_or(("", &debt.limit));
        let key = if owner.is_empty() { debt.key.as_str() } else { owner };
        let whose = match (owner, key) {
            ("", "") => Whose::Tenant,
            ("", _) => Whose::Each,
            _ => Whose::Own,
        };
        let key = KeyId::parse(key).or_else(|| KeyId::parse("0"))?;
        self.rules(&key).find(|rule| rule.whose == whose && rule.limit.name == name && rule.repays())
    }

    /// Counts what is known of ended calls: `calls` of them, admitted at `at`; `only` says in which limits: whose, and over which window.
    pub fn restore(
        &mut self,
        at: Millis,
        now: Millis,
        caller: Caller<'_>,
        calls: u64,
        used: &Load,
        only: impl Fn(Whose, Window) -> bool,
    ) {
        let edit = self.edit;
        let new = |rule: &&mut Rule| rule.counts_since == edit && only(rule.whose, rule.limit.window);
        for rule in self.covering_rules(caller).filter(new) {
            let amount = match rule.limit.what {
                What::Requests => Amount::new(calls),
                _ => used.amount(&rule.limit),
            };
            rule.tally(now).correct(at, Amount::ZERO, amount);
        }
    }

    /// Counts a call that was admitted at `at` and is under way.
    pub fn restore_open(&mut self, at: Millis, now: Millis, caller: Caller<'_>, held: &Load) {
        let edit = self.edit;
        for rule in self.covering_rules(caller).filter(|rule| rule.counts_since == edit) {
            rule.reserve(at, now, held);
        }
    }
}
