//! What a call reaches besides its own words, as a tenant decides on it.

use super::Tenant;
use crate::catalog::{Model, Provider, Target};
use crate::dialect::Dialect;
use crate::key::KeyId;
use crate::passthrough::Touch;
use crate::policy::Unbounded;
use crate::price::Bill;
use crate::reach::{Barrier, Named, Reach, What};
use crate::rows::{Change, End, Work};
use crate::units::{Millis, NanoUsd, Tokens};
use crate::wire::{Amend, Ask, Denial, Heard, Settlement};

/// The ids of files, which a request takes along into another dialect; no other says what else is kept.
const CARRIED: [&str; 4] = ["file_id", "file", "fileuri", "file_uri"];
/// A settlement in so many looks for what is too old to be remembered, once it keeps something.
const SWEPT_ONCE_IN: u64 = 512;

impl Tenant {
    /// `model` with those of its targets that may be sent what a call of `key` reaches.
    ///
    /// A target that speaks the client's dialect is sent all of it. Any other is sent what its dialect can say, and what that cannot
    /// is refused by its path: that is not decided here.
    pub(super) fn within_reach(&self, key: &KeyId, reach: &Reach, mut model: Model) -> Result<Model, Denial> {
        if reach.is_empty() {
            return Ok(model);
        }
        if reach.crowded {
            return Err(Denial::Reaches(Barrier::Crowded));
        }
        let speaks = |target: &Target| self.provider(target).is_some_and(|provider| speaks(provider, reach));
        let barred = |named: &&Named| named.what != What::Kept && !is_followed(named, reach);
        if let Some(named) = reach.named.iter().find(barred).filter(|_| model.targets.iter().any(speaks)) {
            return Err(Denial::Reaches(Barrier::Named(named.clone())));
        }
        if let Some(field) = reach.unbounded.clone().filter(|_| self.policy(key).unbounded == Unbounded::Refuse) {
            return Err(Denial::Reaches(Barrier::Unbounded(field)));
        }
        let stranger = model.targets.iter().find_map(|target| self.stranger(target, reach)).cloned();
        model.targets.retain(|target| self.stranger(target, reach).is_none());
        match stranger {
            Some(named) if model.targets.is_empty() => Err(Denial::Reaches(Barrier::Named(named))),
            _ => Ok(model),
        }
    }

    /// The first kept thing that `target` would be sent the id of, and that is not known to be the tenant's own there.
    fn stranger<'r>(&self, target: &Target, reach: &'r Reach) -> Option<&'r Named> {
        let provider = self.provider(target).filter(|provider| provider.shared)?;
        let is_sent = |named: &&Named| speaks(provider, reach) || CARRIED.contains(&named.field.as_str());
        let mut kept = reach.named.iter().filter(|named| named.what == What::Kept).filter(is_sent);
        kept.find(|named| !reach.owns(&named.id, &target.provider))
    }

    fn provider(&self, target: &Target) -> Option<&Provider> {
        self.config.catalog.providers.get(&target.provider)
    }

    /// The ids by which a call names what is kept, of which the host is to read whose they are.
    pub fn kept_ids(&self, ask: &Ask) -> Vec<String> {
        let path = ask.through.as_ref().map(|through| Touch::of(&through.method, &through.path).names);
        ask.reach.ids().map(str::to_owned).chain(path.into_iter().flatten()).collect()
    }

    /// Remembers what a call's provider has kept of it.
    pub(super) fn keep(&mut self, now: Millis, settlement: &Settlement) {
        let provider = settlement.end.target.split('/').next().unwrap_or_default();
        if provider.is_empty() || settlement.kept.is_empty() {
            return;
        }
        let work = self.work(settlement);
        let kept = |id: &String| {
            let (id, provider, work) = (id.clone(), provider.to_owned(), work.clone());
            Change::Kept { id, provider, at: now, work }
        };
        self.changes.extend(settlement.kept.iter().map(kept));
        if now.get().is_multiple_of(SWEPT_ONCE_IN) {
            self.changes.push(Change::KeptSwept);
        }
    }

    /// The work that goes on behind the answer of a settlement's call.
    fn work(&self, settlement: &Settlement) -> Option<Work> {
        let open = self.ledger.find(&settlement.call).map(|row| row.at);
        let at = settlement.at.or(open).filter(|_| settlement.goes_on)?;
        Some(Work { at, call: settlement.call.clone(), target: settlement.end.target.clone() })
    }

    /// Lets a call whose provider works on behind its answer keep what it holds, until its end is heard of or its lease is over.
    pub(super) fn go_on(&mut self, now: Millis, settlement: &Settlement) {
        if let Some(Work { at, call, target }) = self.work(settlement) {
            self.amend(now, &Amend { at, call, target, output: Tokens::ZERO, usage: None, fixed: true });
        }
        for (target, outcome) in &settlement.attempts {
            self.changes.extend(self.health.learn(now, target, *outcome).map(Change::Health));
        }
    }

    /// Takes up what a look has told of `work`: while it goes on its call keeps what it holds; once it has ended, the settlement of
    /// that call. Looked at again, it is settled already.
    pub fn heard(&mut self, now: Millis, heard: &Heard, work: Work) -> Option<Settlement> {
        let Work { at, call, target } = work;
        let Some(bill) = heard.bill else {
            self.amend(now, &Amend { at, call, target, output: Tokens::ZERO, usage: None, fixed: true });
            return None;
        };
        let catalog = &self.config.catalog;
        let (provider, model) = target.split_once('/')?;
        let price = catalog.model_price(provider, model, at.millis());
        let default = || catalog.default_price(at.millis()).map(|(dated, by)| (dated.clone(), by));
        let (dated, priced_by) = price.or_else(default).unwrap_or_default();
        let cost = if bill == Bill::default() { NanoUsd::ZERO } else { dated.price.cost(bill) };
        let end = End { bill, cost, priced_by, target, status: 200, attempts: 1, ..End::default() };
        Some(Settlement { at: Some(at), call, end, bounded: heard.bounded, ..Settlement::default() })
    }
}

/// Whether the end of what `named` has go on behind the answer can be heard of: that of a response is, by its id.
fn is_followed(named: &Named, reach: &Reach) -> bool {
    named.what == What::Later && named.field == "background" && reach.dialect == Some(Dialect::Responses)
}

/// Whether `provider` is sent a request as it is.
fn speaks(provider: &Provider, reach: &Reach) -> bool {
    reach.dialect.is_none_or(|dialect| provider.dialects.contains(&dialect))
}
