//! The state machine that a tenant's object hosts: asks and settlements in, changes out.
//!
//! It has no clock and no storage. Every event brings the time; every change is queued and taken
//! by the host, which writes all of one turn at once. A refusal queues nothing.

use crate::bound::InputBound;
use crate::catalog::{Catalog, Model};
use crate::fit::Wish;
use crate::gauge::Gauges;
use crate::habit::Habits;
use crate::health::{Health, Standing};
use crate::idempotency::Names;
use crate::key::{KeyId, SecretHash, TenantId};
use crate::ledger::{Flushed, Ledger};
use crate::limits::{Caller, Limits, Load};
use crate::origin;
use crate::policy::{Policy, UnknownPrice};
use crate::price::Prices;
use crate::route;
use crate::rows::{CallKey, CallRow, Change, State, Sums, UsageKey};
use crate::units::{Millis, Tokens};
use crate::usage::Periods;
use crate::wire::{Admission, Ask, Denial, Hop, Look};
use std::collections::BTreeMap;

mod amend;
mod clock;
mod credit;
mod edit;
mod leave;
mod look;
mod named;
mod past;
mod reach;
mod restore;
mod served;
mod settle;
mod through;

pub use clock::Return;
pub use edit::{Edit, KEYS_MAX, POLICY_BYTES_MAX, Taken};
pub use past::{CallsRead, Past, PastCalls, Reads, UsageRead};
pub use restore::{Stored, open_periods, reads};

/// What a tenant is, apart from what it has used.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its name.
    pub tenant: TenantId,
    /// Whether its calls are admitted at all.
    pub enabled: bool,
    /// What holds for all its keys.
    pub policy: Policy,
    /// Providers, models and prices.
    pub catalog: Catalog,
    /// Its keys.
    pub keys: BTreeMap<KeyId, KeyRecord>,
}

/// What the object knows of a key.
#[derive(Clone, Debug)]
pub struct KeyRecord {
    /// What proves that a caller holds it.
    pub hash: SecretHash,
    /// What holds for this key besides the tenant's policy.
    pub policy: Option<Policy>,
    /// When it was revoked.
    pub revoked_at: Option<Millis>,
    /// From when on it is refused.
    pub expires_at: Option<Millis>,
}

impl KeyRecord {
    /// What its own policy takes of memory, in bytes.
    fn policy_bytes(&self) -> usize {
        self.policy.as_ref().map_or(0, Policy::bytes)
    }
}

/// A settlement for a call that memory no longer holds: its ledger row is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowNeeded(pub CallKey);

/// One tenant: all that decides whether a call is admitted, and what it is billed.
#[derive(Clone, Debug)]
pub struct Tenant {
    config: Config,
    limits: Limits,
    ledger: Ledger,
    health: Health,
    habits: Habits,
    names: Names,
    periods: Periods,
    looks: look::Looks,
    leaving: leave::Leaving,
    /// What the keys' own policies take of memory.
    policy_bytes: usize,
    now: Millis,
    changes: Vec<Change>,
}

impl Tenant {
    /// Admits a call or refuses it. A refusal changes nothing.
    ///
    /// # Errors
    /// Why the call may not go out.
    pub fn admit(&mut self, now: Millis, ask: &Ask) -> Result<Admission, Denial> {
        // Places are unique, so a thousand calls of one millisecond reach into the next: it is then.
        let now = self.tick(now.max(self.ledger.next_place(now).millis()));
        self.expire(now);
        self.known(now, &ask.key, &ask.hash, ask.origin.as_deref())?;
        let policy = self.policy(&ask.key);
        let (on_shortfall, fit_min) = (policy.on_shortfall, policy.fit_min);
        let (lease, on_disconnect, unknown) = (policy.lease, policy.on_disconnect, policy.unknown_price);
        let allowed = self.config.policy.allows(&ask.model) && policy.allows(&ask.model);
        let model = self.config.catalog.models.get(&ask.model).filter(|_| allowed).ok_or(Denial::ModelUnknown)?.clone();
        let model = self.within_reach(&ask.key, &ask.reach, model)?;
        let caller = Caller { key: &ask.key, model: &ask.model };
        if let Some(answer) = self.asked_before(ask, &model, unknown) {
            return answer;
        }
        let prices = if ask.free { Prices::default() } else { self.prices(now, caller, &model, unknown)? };
        let habit = self.habits.of(ask.key.as_str(), &ask.model, &ask.endpoint);
        let mut input = if ask.free { InputBound::default() } else { ask.shape.bound(&model, habit) };
        let prices = self.served(now, &model, unknown, &ask.shape, prices, &mut input);
        let wish = Wish::of(ask, &model, habit);
        let output = wish.fit(&mut self.limits, now, caller, input, &prices, (on_shortfall, fit_min));
        let total = output.each.times(ask.choices).plus(ask.uncapped_output());
        let cost = prices.worst(input.ceiling, total, input.kinds).plus(input.reserve);
        let (likely_input, likely_output) = (input.estimate, output.likely);
        let load = Load { input: input.ceiling, output: total, likely_input, likely_output, cost };
        let blocks = self.limits.blocks(now, caller, &load, self.ledger.first_lease());
        if !blocks.is_empty() {
            let asked = output.affordable.map(|_| output.wanted);
            let gauges = Gauges::of(now, self.limits.covering(now, caller));
            return Err(Denial::Limited { blocks, affordable: output.affordable, asked, gauges });
        }

        // From here on the call is admitted.
        let at = self.ledger.place(now);
        let row = CallRow {
            at,
            call: ask.call.clone(),
            key: ask.key.clone(),
            model: ask.model.clone(),
            endpoint: ask.endpoint.clone(),
            bytes: ask.shape.text_alone(),
            state: State::Open,
            lease_ends: at.millis().plus(lease),
            held: load,
            special: input.special() || !ask.shape.service.is_untold(),
            stop_at: None,
            catalog: self.config.catalog.version,
            end: None,
        };
        self.limits.reserve(at.millis(), now, caller, &load);
        self.ledger.insert(row.clone());
        self.changes.push(Change::Opened(row));
        let hops = self.hops(now, &model, unknown);
        let gauges = Gauges::of(now, self.limits.covering(now, caller));
        let output_cap = output.cap;
        let (input_estimate, drop_unsupported, max_output) = (input.estimate, model.drop_unsupported, model.max_output);
        let (input_max, context) = (Some(input.ceiling), model.max_input);
        Ok(Admission {
            at,
            hops,
            output_cap,
            drop_unsupported,
            max_output,
            input_estimate,
            input_max,
            context,
            on_disconnect,
            lease,
            gauges,
        })
    }

    /// What is answered to a call that was asked for before: the same as then, as long as it is open.
    fn asked_before(&mut self, ask: &Ask, model: &Model, unknown: UnknownPrice) -> Option<Result<Admission, Denial>> {
        if self.ledger.forestalled(&ask.call) {
            return Some(Err(Denial::CallEnded));
        }
        let row = self.ledger.find(&ask.call)?.clone();
        let is_open = row.state == State::Open;
        Some(if is_open { Ok(self.admitted_before(&row, ask, model, unknown)) } else { Err(Denial::CallEnded) })
    }

    /// Where a call of `model` goes: a target that may be well again is tried by one call.
    fn hops(&mut self, now: Millis, model: &Model, unknown: UnknownPrice) -> Vec<Hop> {
        let hops = route::hops(&self.config.catalog, &self.health, now, model, unknown);
        let probed = |hop: &&Hop| self.health.standing(now, &hop.target) == Standing::Probing;
        if let Some(first) = hops.first().filter(probed) {
            self.health.probe(now, &first.target);
        }
        hops
    }

    /// Sums ended calls up into usage rows: when there are many, or at once.
    pub fn flush(&mut self, now: Millis, force: bool) {
        let now = self.tick(now);
        if let Some(Flushed { usage, done, end }) = self.ledger.flush(now, force) {
            let habits = self.habits.flush(done.values(), self.ledger.unflushed());
            self.changes.extend(habits.into_iter().map(|(name, habit)| Change::Habit(name, habit)));
            usage.into_iter().for_each(|(key, sums)| self.add_usage(key, sums));
            self.changes.push(Change::Flushed(end));
            self.limits.sweep(now);
        }
        if force {
            self.sweep_names(now);
            self.let_keys_go(now);
        }
    }

    fn add_usage(&mut self, key: UsageKey, sums: Sums) {
        self.periods.advance(self.now);
        self.periods.add(&key, sums);
        self.changes.push(Change::Usage(key, sums));
    }

    /// When [`Tenant::expire`] or [`Tenant::flush`] has something to do; `None`: no call is open, no answer kept, no key has an end.
    pub fn next_alarm(&self) -> Option<Millis> {
        [self.ledger.first_lease(), self.names.first_too_old(), self.leaving.first()].into_iter().flatten().min()
    }

    /// The place before which usage rows hold every call.
    pub fn flushed(&self) -> CallKey {
        self.ledger.flushed()
    }

    /// The place before which the ledger's rows are not needed any more: their calls have ended, usage rows hold them, and they
    /// are older than the tenant's policy keeps them.
    pub fn ledger_begins(&self, now: Millis) -> CallKey {
        CallKey::at(now.minus(self.config.policy.ledger_keeps())).min(self.ledger.flushed())
    }

    /// The changes since they were last taken, in the order in which they are to be written.
    pub fn take_changes(&mut self) -> Vec<Change> {
        self.names.written(self.now);
        self.changes.extend(self.limits.take_debts().map(|(debt, by)| Change::Debt(debt, by)));
        std::mem::take(&mut self.changes)
    }

    /// What the tenant is.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The limits that apply to a key, as they stand.
    pub fn standings(&mut self, now: Millis, key: &KeyId) -> Vec<crate::limits::Standing<'_>> {
        let now = self.tick(now);
        self.limits.standings(now, key)
    }

    /// The calls that are open, and those that no usage row holds yet.
    pub fn calls(&self) -> (impl Iterator<Item = &CallRow>, impl Iterator<Item = &CallRow>) {
        (self.ledger.open(), self.ledger.unflushed())
    }

    /// Whether the caller's key is good, and may be told what it asks.
    ///
    /// # Errors
    /// Why it is not.
    pub fn check(&mut self, now: Millis, look: &Look) -> Result<&KeyRecord, Denial> {
        let now = self.tick(now);
        self.known(now, &look.key, &look.hash, look.origin.as_deref())
    }

    /// The record of a key that is good, and that the page of `origin` may use, where a page calls.
    fn known(&self, now: Millis, key: &KeyId, hash: &SecretHash, origin: Option<&str>) -> Result<&KeyRecord, Denial> {
        let record = self.config.keys.get(key).filter(|record| record.hash.matches(hash)).ok_or(Denial::KeyUnknown)?;
        if !self.config.enabled {
            return Err(Denial::TenantDisabled);
        }
        if record.revoked_at.is_some() {
            return Err(Denial::KeyRevoked);
        }
        if record.expires_at.is_some_and(|expires_at| expires_at <= now) {
            return Err(Denial::KeyExpired);
        }
        let own = record.policy.as_ref().and_then(|policy| policy.allowed_origins.as_ref());
        let patterns = own.or(self.config.policy.allowed_origins.as_ref());
        match origin.zip(patterns) {
            Some((origin, patterns)) if !origin::allows(patterns, origin) => {
                Err(Denial::OriginNotAllowed(origin.to_owned()))
            }
            _ => Ok(record),
        }
    }

    /// The policy that calls of `key` are under: its own, or else the tenant's.
    fn policy(&self, key: &KeyId) -> &Policy {
        let own = self.config.keys.get(key).and_then(|record| record.policy.as_ref());
        own.unwrap_or(&self.config.policy)
    }

    /// Time never runs backwards: not by the clock, and not behind a place already given.
    fn tick(&mut self, now: Millis) -> Millis {
        self.now = now.max(self.now).max(self.ledger.latest());
        self.now
    }

    /// What a call of `model` is reckoned at: an unknown price counts as none where no budget asks.
    fn prices(&self, now: Millis, caller: Caller<'_>, model: &Model, unknown: UnknownPrice) -> Result<Prices, Denial> {
        match route::prices(&self.config.catalog, model, now, unknown) {
            Err(target) if self.limits.bound_cost(caller) => {
                Err(Denial::PriceUnknown { target, no_default: unknown == UnknownPrice::Default })
            }
            prices => Ok(prices.unwrap_or_default()),
        }
    }

    /// The answer that an ask got before: its reply was lost on the way.
    fn admitted_before(&mut self, row: &CallRow, ask: &Ask, model: &Model, unknown: UnknownPrice) -> Admission {
        let capped = row.held.output.minus(ask.uncapped_output());
        let each = Tokens::new(capped.get().checked_div(ask.choices).unwrap_or(0));
        let bounded = self.limits.bound_output(Caller { key: &row.key, model: &row.model });
        let output_cap = (ask.output && bounded).then_some(each);
        let hops = route::hops(&self.config.catalog, &self.health, self.now, model, unknown);
        let caller = Caller { key: &row.key, model: &row.model };
        let gauges = Gauges::of(self.now, self.limits.covering(self.now, caller));
        let Policy { on_disconnect, lease, .. } = *self.policy(&row.key);
        let (at, input_estimate) = (row.at, row.held.likely_input);
        Admission {
            at,
            hops,
            output_cap,
            drop_unsupported: model.drop_unsupported,
            max_output: model.max_output,
            input_estimate,
            input_max: Some(row.held.input),
            context: model.max_input,
            on_disconnect,
            lease,
            gauges,
        }
    }
}
