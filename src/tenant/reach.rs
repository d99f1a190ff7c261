//! What a call reaches besides its own words, as a tenant decides on it.

use super::Tenant;
use crate::catalog::{Model, Provider, Target};
use crate::key::KeyId;
use crate::passthrough::Touch;
use crate::policy::Unbounded;
use crate::reach::{Barrier, Named, Reach, What};
use crate::rows::Change;
use crate::units::Millis;
use crate::wire::{Ask, Denial, Settlement};

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
        let barred = |named: &&Named| named.what != What::Kept;
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
        let kept = |id: &String| Change::Kept { id: id.clone(), provider: provider.to_owned(), at: now };
        self.changes.extend(settlement.kept.iter().map(kept));
        if now.get().is_multiple_of(SWEPT_ONCE_IN) {
            self.changes.push(Change::KeptSwept);
        }
    }
}

/// Whether `provider` is sent a request as it is.
fn speaks(provider: &Provider, reach: &Reach) -> bool {
    reach.dialect.is_none_or(|dialect| provider.dialects.contains(&dialect))
}
