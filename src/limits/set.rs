//! Which limits a tenant and its keys have: they are changed in place, and what was counted stays.
//!
//! A limit that counts the same calls as one before it goes on with its counts, whatever it is called and however much it
//! allows. Any other is *uncounted* until [`Limits::restore`] has counted what rows tell of its window, and
//! [`Limits::counted`] ends the edit.

use super::Caller;
use super::debts::Debts;
use super::rule::{Rule, Whose};
use crate::key::KeyId;
use crate::policy::{Limit, Per};
use crate::rows::DebtKey;
use crate::units::Millis;
use crate::window::{Tally, Window};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Every limit of one tenant and its keys, with its counts. A key that has counted nothing holds nothing but its own limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Those of the tenant's policy; of one that counts each key by itself, what new keys begin with.
    tenant: Vec<Rule>,
    keys: BTreeMap<KeyId, KeyRules>,
    /// What was overshot, by the name of the limit: one that gets that name again has to repay it.
    pub(super) debts: Debts,
    /// How many edits are over.
    pub(super) edit: u64,
    /// At so many keys that have counted something, those are looked for that count nothing any more.
    sweep_at: usize,
    /// How many keys have counted something since then.
    active: usize,
    /// The keys that this edit has brought.
    new_keys: Vec<KeyId>,
}

/// The limits of one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct KeyRules {
    /// Those of the tenant's policy that count each key by itself, in their order; empty until the key calls.
    each: Vec<Rule>,
    /// Those of the key's own policy.
    own: Vec<Rule>,
}

const SWEEP_MIN: usize = 64;
/// So many cells of rolling windows are held, 16 bytes each; with more of them each two become one.
const CELLS_MAX: usize = 1_000_000;

impl Limits {
    /// The limits of the tenant's policy and of each key's, with nothing counted.
    pub fn new<'a>(tenant: &[Rc<Limit>], keys: impl Iterator<Item = (&'a KeyId, &'a [Rc<Limit>])>) -> Self {
        let mut limits = Self { sweep_at: SWEEP_MIN, ..Self::default() };
        limits.set_tenant(tenant);
        keys.for_each(|(key, own)| limits.set_key(key, own));
        limits
    }

    /// Puts `limits` in place of those of the tenant's policy.
    pub fn set_tenant(&mut self, limits: &[Rc<Limit>]) {
        let whose = |limit: &Limit| if limit.per == Per::Key { Whose::Each } else { Whose::Tenant };
        let before = std::mem::take(&mut self.tenant);
        self.tenant = limits.iter().map(|limit| carried(&before, limit, whose(limit), self.edit)).collect();
        let each = || self.tenant.iter().filter(|rule| rule.whose == Whose::Each);
        for key in self.keys.values_mut().filter(|key| !key.each.is_empty()) {
            let before = std::mem::take(&mut key.each);
            key.each = each().map(|rule| carried(&before, &rule.limit, Whose::Each, self.edit)).collect();
        }
    }

    /// Puts `own` in place of the limits of a key's own policy, and makes the key known.
    pub fn set_key(&mut self, key: &KeyId, own: &[Rc<Limit>]) {
        if self.edit > 0 && !self.keys.contains_key(key) {
            self.new_keys.push(key.clone());
            let each = self.tenant.iter().filter(|rule| rule.whose == Whose::Each);
            let each = each.map(|rule| Rule::new(&rule.limit, Whose::Each, self.edit)).collect();
            self.keys.insert(key.clone(), KeyRules { each, own: Vec::new() });
        }
        let known = self.keys.entry(key.clone()).or_default();
        let before = std::mem::take(&mut known.own);
        known.own = own.iter().map(|limit| carried(&before, limit, Whose::Own, self.edit)).collect();
    }

    /// Forgets a key: what its calls have used stays in the limits on all calls together.
    pub fn remove_key(&mut self, key: &KeyId) {
        self.keys.remove(key);
    }

    /// The windows of those limits of the tenant's policy that are uncounted.
    pub fn uncounted(&self, whose: Whose) -> BTreeSet<Window> {
        let uncounted = self.tenant.iter().filter(|rule| rule.whose == whose && rule.counts_since == self.edit);
        uncounted.map(|rule| rule.limit.window).collect()
    }

    /// The windows of the limits of a key's own policy that are uncounted.
    pub fn uncounted_own(&self, key: &KeyId) -> BTreeSet<Window> {
        let own = self.keys.get(key).map(|key| key.own.as_slice()).unwrap_or_default();
        own.iter().filter(|rule| rule.counts_since == self.edit).map(|rule| rule.limit.window).collect()
    }

    /// The windows of all limits that count each key by itself, for one of `key`: what one that is new has not counted.
    pub fn windows_of(&self, key: &KeyId) -> BTreeSet<Window> {
        let own = self.keys.get(key).map(|key| key.own.as_slice()).unwrap_or_default();
        let each = self.tenant.iter().filter(|rule| rule.whose == Whose::Each);
        each.chain(own).map(|rule| rule.limit.window).collect()
    }

    /// Ends an edit: what is to be counted of the past is counted, and all debts are taken up.
    pub fn counted(&mut self) {
        for key in std::mem::take(&mut self.new_keys) {
            let unused = |key: &&mut KeyRules| key.each.iter().all(|rule| rule.tally.is_none());
            if let Some(key) = self.keys.get_mut(&key).filter(unused) {
                key.each = Vec::new();
            }
        }
        self.edit = self.edit.saturating_add(1);
    }

    /// What is owed more, or less, since this was last asked.
    pub fn take_debts(&mut self) -> impl Iterator<Item = (DebtKey, i64)> + use<> {
        self.debts.take_changes()
    }

    /// Whether `wanted` is true of a limit that covers such a call.
    pub(super) fn any(&self, caller: Caller<'_>, wanted: impl Fn(&Limit) -> bool) -> bool {
        let own = self.keys.get(caller.key).map(|key| key.own.as_slice()).unwrap_or_default();
        let mut limits = self.tenant.iter().chain(own).map(|rule| &rule.limit);
        limits.any(|limit| limit.covers(caller.model) && wanted(limit))
    }

    /// The limits that apply to `key`: the tenant's in their order, then its own. For a key that is not known those on all calls
    /// together.
    pub(super) fn rules(&mut self, key: &KeyId) -> impl Iterator<Item = &mut Rule> {
        let key = self.keys.get_mut(key);
        let (mut each, own) = match key {
            None => (std::slice::IterMut::default(), std::slice::IterMut::default()),
            Some(key) => {
                let begins = self.tenant.iter().filter(|rule| rule.whose == Whose::Each);
                if key.each.is_empty() {
                    key.each = begins.cloned().collect();
                    self.active = self.active.saturating_add(usize::from(!key.each.is_empty()));
                }
                (key.each.iter_mut(), key.own.iter_mut())
            }
        };
        let tenant = self.tenant.iter_mut();
        tenant.filter_map(move |rule| if rule.whose == Whose::Each { each.next() } else { Some(rule) }).chain(own)
    }

    /// The limits that cover such a call.
    pub(super) fn covering_rules(&mut self, caller: Caller<'_>) -> impl Iterator<Item = &mut Rule> {
        self.rules(caller.key).filter(move |rule| rule.limit.covers(caller.model))
    }

    /// Every limit that may have counted something, with the key whose calls it counts.
    pub(super) fn each_rule(&mut self, mut visit: impl FnMut(&KeyId, &mut Rule)) {
        let nobody = KeyId::default();
        self.tenant.iter_mut().for_each(|rule| visit(&nobody, rule));
        for (key, rules) in &mut self.keys {
            rules.each.iter_mut().chain(&mut rules.own).for_each(|rule| visit(key, rule));
        }
    }

    /// Lets go of what counts nothing any more, where that may be much, and makes cells coarser where there are too many.
    pub fn sweep(&mut self, now: Millis) {
        if self.active >= self.sweep_at {
            self.active = 0;
            for key in self.keys.values_mut() {
                key.let_go(now);
                self.active = self.active.saturating_add(usize::from(!key.each.is_empty()));
            }
            self.sweep_at = self.active.saturating_mul(2).max(SWEEP_MIN);
        }
        if self.cells() > CELLS_MAX {
            let keys = self.keys.values_mut().flat_map(|key| key.each.iter_mut().chain(&mut key.own));
            keys.chain(&mut self.tenant).filter_map(|rule| rule.tally.as_mut()).for_each(Tally::coarsen);
        }
    }

    /// How many cells all rolling windows have.
    pub fn cells(&self) -> usize {
        let keys = self.keys.values().flat_map(|key| key.each.iter().chain(&key.own));
        let tallies = keys.chain(&self.tenant).filter_map(|rule| rule.tally.as_ref());
        tallies.map(Tally::cells).fold(0, usize::saturating_add)
    }

    /// How many keys hold counts of limits that count each key by itself.
    pub fn active_keys(&self) -> usize {
        self.keys.values().filter(|key| !key.each.is_empty()).count()
    }
}

impl KeyRules {
    fn let_go(&mut self, now: Millis) {
        for rule in self.each.iter_mut().chain(&mut self.own) {
            rule.tally.take_if(|tally| {
                tally.advance(now);
                tally.is_new()
            });
        }
        if self.each.iter().all(|rule| rule.tally.is_none()) {
            self.each = Vec::new();
        }
    }
}

/// `limit` with the counts of the one of `before` that counts the same; else with none.
fn carried(before: &[Rule], limit: &Rc<Limit>, whose: Whose, edit: u64) -> Rule {
    let same = before.iter().filter(|rule| rule.whose == whose && rule.limit.counts_as(limit));
    // Of several the one of that name: it has the debts.
    let same = same.max_by_key(|rule| rule.limit.name == limit.name);
    same.map_or_else(|| Rule::new(limit, whose, edit), |rule| rule.under(limit, edit))
}
