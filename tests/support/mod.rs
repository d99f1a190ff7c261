//! A tenant with its rows kept beside it, as the object keeps them: what every core test drives.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod names;

use serde_json::Value;
use std::collections::BTreeMap;
use tollgate::bound::Shape;
use tollgate::catalog::Catalog;
use tollgate::fields::Field;
use tollgate::habit::Habit;
use tollgate::key::{self, KeyId, SecretHash, SigningSecret, TenantId};
use tollgate::limits::Load;
use tollgate::policy::{Per, Policy};
use tollgate::price::Bill;
use tollgate::rows::{CallKey, CallRow, Change, DebtKey, End, HealthRow, Sums, UsageKey, Work};
use tollgate::tenant::{self, Config, Edit, KeyRecord, Past, Reads, Return, Stored, Tenant};
use tollgate::units::{Amount, Millis, NanoUsd, Tokens};
use tollgate::usage;
use tollgate::window::Period;
use tollgate::wire::{Admission, Amend, Amended, Ask, Credit, Credited, Denial, Settlement};

/// A Monday, ten seconds before noon UTC.
pub(crate) const START: u64 = 1_763_985_590_000;

/// The rows of one tenant: what its SQLite holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    pub(crate) calls: BTreeMap<CallKey, CallRow>,
    pub(crate) usage: BTreeMap<UsageKey, Sums>,
    pub(crate) health: BTreeMap<String, HealthRow>,
    pub(crate) habits: BTreeMap<String, Habit>,
    pub(crate) debts: BTreeMap<DebtKey, Amount>,
    pub(crate) flushed: CallKey,
    pub(crate) names: names::NameRows,
    pub(crate) kept: BTreeMap<(String, String), Option<Work>>,
    pub(crate) gone: Vec<KeyId>,
    pub(crate) written: u64,
}

impl Rows {
    fn write(&mut self, change: Change) {
        self.written += 1;
        match change {
            Change::Opened(row) => assert!(self.calls.insert(row.at, row).is_none(), "a place is given once"),
            Change::Ended(row) => assert!(self.calls.insert(row.at, row).is_some(), "what ends was opened"),
            Change::Usage(key, sums) => {
                let row = self.usage.entry(key).or_default();
                *row = row.plus(sums);
            }
            Change::Amended(row) => assert!(self.calls.insert(row.at, row).is_some(), "what is amended was opened"),
            Change::Habit(name, habit) => drop(self.habits.insert(name, habit)),
            Change::Debt(key, by) => {
                let debt = self.debts.get(&key).copied().unwrap_or_default().get();
                let amount = Amount::new(debt.checked_add_signed(by).unwrap());
                self.debts.insert(key, amount);
                self.debts.retain(|_, amount| *amount > Amount::ZERO);
            }
            Change::KeyGone(id) => {
                self.gone.push(id.clone());
                self.habits.retain(|name, _| !name.starts_with(&format!("{} ", id.as_str())));
            }
            Change::Flushed(place) => self.flushed = place,
            Change::Name(change) => self.names.write(change),
            Change::Kept { id, provider, work, .. } => drop(self.kept.insert((id, provider), work)),
            Change::KeptSwept => {}
            Change::Health(row) if row.rests == 0 => drop(self.health.remove(&row.target)),
            Change::Health(row) => drop(self.health.insert(row.target.clone(), row)),
        }
    }

    /// What the object reads back when it starts at `now`.
    pub(crate) fn read(&self, config: &Config, now: Millis) -> Stored {
        Stored {
            flushed: self.flushed,
            last: self.calls.keys().next_back().copied().unwrap_or_default(),
            past: self.past(&tenant::reads(config, now)),
            calls: self.calls.range(self.flushed..).map(|(_, row)| row.clone()).collect(),
            health: self.health.values().cloned().collect(),
            habits: self.habits.clone(),
            debts: self.debts.iter().map(|(key, amount)| (key.clone(), *amount)).collect(),
            oldest_name: self.names.names.keys().next().copied(),
            answers: self.names.answers.iter().map(|(at, bytes)| (*at, *bytes)).collect(),
        }
    }
}

impl Rows {
    /// Dates what is dated ahead to the return of the clock.
    pub(crate) fn turn_back(&mut self, back: &Return) {
        let first = back.place();
        let ahead: Vec<CallKey> = self.calls.range(first.next()..).map(|(at, _)| *at).collect();
        let mut next = first;
        let place = |at: &CallKey| {
            next = next.next();
            (*at, next)
        };
        let places: BTreeMap<CallKey, CallKey> = ahead.iter().map(place).collect();
        if self.flushed > first {
            let before = ahead.iter().filter(|at| **at < self.flushed).count() as u64;
            self.flushed = CallKey::new(first.get() + before + 1);
        }
        self.names.move_to(&places);
        for work in self.kept.values_mut().flatten() {
            work.at = places.get(&work.at).copied().unwrap_or(work.at);
        }
        let calls = std::mem::take(&mut self.calls).into_values();
        let moved = |mut row: CallRow| {
            row.at = places.get(&row.at).copied().unwrap_or(row.at);
            if row.end.is_none() {
                row.lease_ends = row.lease_ends.min(back.leases_end);
            }
            row.end = row.end.map(|end| End { at: end.at.min(back.now), ..end });
            (row.at, row)
        };
        self.calls = calls.map(moved).collect();
        for row in self.health.values_mut() {
            row.rests_until = row.rests_until.min(back.rests_end);
        }
        for (mut key, sums) in std::mem::take(&mut self.usage) {
            let start = Period::ALL
                .into_iter()
                .find(|period| usage::grain(*period) == key.grain)
                .map(|period| back.start(period));
            key.start = key.start.min(start.unwrap_or(key.start));
            let row = self.usage.entry(key).or_default();
            *row = row.plus(sums);
        }
    }

    /// What the object's storage answers to `reads`.
    pub(crate) fn past(&self, reads: &Reads) -> Past {
        let ended = || self.calls.range(..self.flushed).map(|(_, row)| row);
        let usage = |read: &tenant::UsageRead| {
            self.usage
                .iter()
                .filter(|(key, _)| read.wants(key))
                .map(|(key, sums)| (key.clone(), *sums))
                .collect::<Vec<_>>()
        };
        Past {
            calls: reads.calls.iter().flat_map(|read| read.sum(ended())).collect(),
            usage: reads.usage.iter().flat_map(usage).collect(),
        }
    }
}

/// A tenant and its rows.
pub(crate) struct World {
    pub(crate) tenant: Tenant,
    pub(crate) rows: Rows,
    pub(crate) now: Millis,
    hash: SecretHash,
}

impl World {
    /// A tenant `acme` with the keys `a` and `b` and the model `m`, at 1 USD for a million tokens of
    /// input and 2 for output, at most 1,000 of output.
    pub(crate) fn new(policy: &Value, key_policy: Option<&Value>) -> Self {
        let hash = hash();
        let read = |document: &Value, owner| Policy::read(&Field::root("policy", document), owner).unwrap();
        let record = || KeyRecord {
            hash: hash.clone(),
            policy: key_policy.map(|document| read(document, Per::Key)),
            revoked_at: None,
            expires_at: None,
        };
        let catalog = serde_json::json!({
            "providers": {"p": {"dialect": "openai", "base_url": "http://p/v1"}, "q": {"dialect": "openai", "base_url": "http://q/v1"}},
            "models": {
                "m": {"targets": [{"provider": "p", "model": "m"}, {"provider": "q", "model": "m"}], "max_output": 1000},
                "big": {"targets": [{"provider": "p", "model": "big"}], "max_output": 16384},
                "free": {"targets": [{"provider": "p", "model": "free"}]}
            },
            "prices": {"p/big": {"input": "2.5", "output": "10"}, "p/m": {"input": "1", "output": "2"}, "q/m": {"input": "1", "output": "2"}}
        });
        let config = Config {
            tenant: TenantId::parse("acme").unwrap(),
            enabled: true,
            policy: read(policy, Per::Tenant),
            catalog: Catalog::read(&catalog, 3).unwrap(),
            keys: ["a", "b"].map(|id| (KeyId::parse(id).unwrap(), record())).into(),
        };
        let now = Millis::new(START);
        Self { tenant: Tenant::restore(now, config, Stored::default()), rows: Rows::default(), now, hash }
    }

    pub(crate) fn ask(&self, call: &str, key: &str, input_bytes: u64, output_cap: Option<u64>) -> Ask {
        Ask {
            call: call.to_owned(),
            key: KeyId::parse(key).unwrap(),
            hash: self.hash.clone(),
            model: "m".to_owned(),
            endpoint: "chat".to_owned(),
            shape: Shape { bytes: input_bytes, ..Shape::default() },
            free: false,
            output: true,
            output_cap: output_cap.map(Tokens::new),
            choices: 1,
            idempotency: None,
            through: None,
            reach: tollgate::reach::Reach::default(),
            origin: None,
        }
    }

    pub(crate) fn admit(&mut self, ask: &Ask) -> Result<Admission, Denial> {
        self.tenant.expire(self.now);
        self.write();
        let answer = self.tenant.admit(self.now, ask);
        let written = self.write();
        assert!(answer.is_ok() || written == 0, "a refusal writes nothing");
        answer
    }

    pub(crate) fn settle(&mut self, call: &str, at: Option<CallKey>, input: u64, output: u64) {
        self.settle_as("p/m", call, at, input, output);
    }

    pub(crate) fn settle_as(&mut self, target: &str, call: &str, at: Option<CallKey>, input: u64, output: u64) {
        let bill = Bill::of(Tokens::new(input), Tokens::new(output));
        let price = self.tenant.config().catalog.prices[target].at(Millis::ZERO).unwrap().price.clone();
        let end =
            End { bill, cost: price.cost(bill), status: 200, attempts: 1, target: target.to_owned(), ..End::default() };
        self.end(call, at, end);
    }

    pub(crate) fn end(&mut self, call: &str, at: Option<CallKey>, end: End) {
        self.end_with(call, at, end, Vec::new(), false);
    }

    /// Ends a call some of whose targets fell silent, or whose answer was cut.
    pub(crate) fn end_with(&mut self, call: &str, at: Option<CallKey>, end: End, silent: Vec<String>, cut: bool) {
        let name = self.rows.names.names.values().find(|row| row.call == call).map(|row| row.name.clone());
        self.hand_in(Settlement { at, call: call.to_owned(), end, name, silent, cut, ..Settlement::default() });
    }

    /// A settlement comes.
    pub(crate) fn hand_in(&mut self, settlement: Settlement) {
        if let Err(needed) = self.tenant.settle(self.now, &settlement) {
            self.write();
            let row = self.rows.calls.get(&needed.0).cloned();
            self.tenant.settle_row(self.now, &settlement, row);
        }
        if let Some(name) = &settlement.name {
            self.read_name(name);
            self.tenant.settle_name(&settlement);
        }
        self.write();
    }

    /// Gives the call at `at` a credit of `amount`, or of all that it was billed.
    pub(crate) fn credit(&mut self, call: &str, at: CallKey, amount: Option<u64>) -> Credited {
        let amount = amount.map(NanoUsd::new);
        let credit =
            Credit { id: String::new(), call: call.to_owned(), place: Some(at), before: None, amount, check: false };
        self.expire();
        let row = self.rows.calls.get(&at).cloned();
        let check = self.tenant.credit(self.now, &Credit { check: true, ..credit.clone() }, row.clone());
        assert_eq!(self.write(), 0, "to ask changes nothing");
        let credited = self.tenant.credit(self.now, &credit, row);
        assert_eq!(check, credited);
        let given = matches!(credited, Credited::Given { .. });
        assert_eq!(self.write() > 0, given, "what is refused changes nothing");
        credited
    }

    pub(crate) fn expire(&mut self) {
        self.tenant.expire(self.now);
        self.write();
    }

    /// Writes what the tenant changed: how many rows.
    pub(crate) fn write(&mut self) -> u64 {
        let before = self.rows.written;
        for change in self.tenant.take_changes() {
            self.rows.write(change);
        }
        self.rows.written - before
    }

    /// Forgets all memory and starts again from the rows.
    pub(crate) fn restart(&mut self) {
        let config = self.tenant.config().clone();
        let stored = self.rows.read(&config, self.now);
        self.tenant = Tenant::restore(self.now, config, stored);
    }

    /// Sets the clock back, as the object's host does where it was ahead: `true`: it was.
    pub(crate) fn set_back(&mut self, by: Millis) -> bool {
        self.now = self.now.minus(by);
        self.write();
        let config = self.tenant.config().clone();
        if !self.tenant.is_ahead(self.now) && !self.rows.read(&config, self.now).is_ahead(self.now) {
            return false;
        }
        self.rows.turn_back(&Return::at(self.now, &config));
        self.restart();
        self.tenant.returned();
        self.write();
        true
    }

    /// Reports what a call has used so far.
    pub(crate) fn amend(&mut self, call: &str, at: CallKey, output: Tokens, input: Option<u64>) -> Amended {
        let usage = input.map(|input| Bill::of(Tokens::new(input), output));
        self.amend_with(&Amend { at, call: call.to_owned(), target: "p/m".to_owned(), output, usage, fixed: false })
    }

    pub(crate) fn amend_with(&mut self, amend: &Amend) -> Amended {
        let amended = self.tenant.amend(self.now, amend);
        self.write();
        amended
    }

    /// Puts other policies in place of the tenant's and its keys'.
    pub(crate) fn edit(&mut self, tenant: &Value, key: &Value) {
        self.expire();
        let policy = Policy::read(&Field::root("policy", tenant), Per::Tenant).unwrap();
        let own = Policy::read(&Field::root("policy", key), Per::Key).unwrap();
        let keys = self.tenant.config().keys.clone().into_iter();
        let keys = keys.map(|(id, record)| (id, KeyRecord { policy: Some(own.clone()), ..record })).collect();
        self.change(Edit { tenant: Some((true, policy)), keys, ..Edit::default() });
    }

    /// Changes the tenant in place, as an administrator's call does.
    pub(crate) fn change(&mut self, edit: Edit) {
        self.write();
        let reads = self.tenant.edit(self.now, edit);
        let past = self.rows.past(&reads);
        self.tenant.edited(&past);
    }

    /// Starts the tenant anew as `config`.
    pub(crate) fn configure(&mut self, config: Config) {
        let stored = self.rows.read(&config, self.now);
        self.tenant = Tenant::restore(self.now, config, stored);
    }

    /// The object's clock, which is never behind a place that it gave.
    pub(crate) fn clock(&self) -> Millis {
        self.now.max(self.rows.calls.keys().next_back().copied().unwrap_or_default().millis())
    }

    /// Every limit as it stands for key `key`: name, settled, held.
    pub(crate) fn standings(&mut self, key: &str) -> Vec<(String, u64, u64)> {
        let key = KeyId::parse(key).unwrap();
        let standings = self.tenant.standings(self.now, &key);
        standings.iter().map(|one| (one.limit.name.clone(), one.settled.get(), one.held.get())).collect()
    }

    /// What usage rows and calls not yet summed up come to.
    pub(crate) fn usage(&self) -> Sums {
        let rows = self.rows.usage.iter().filter(|(key, _)| key.grain == tollgate::rows::Grain::Lifetime);
        let flushed = rows.fold(Sums::default(), |sum, (_, sums)| sum.plus(*sums));
        let (_, unflushed) = self.tenant.calls();
        unflushed.fold(flushed, |sum, row| sum.plus(row.end.as_ref().map(Sums::of).unwrap_or_default()))
    }
}

/// The load of a call's row that counts: what it holds, or what it was billed.
pub(crate) fn load(row: &CallRow) -> Load {
    row.end.as_ref().map_or(row.held, End::load)
}

fn hash() -> SecretHash {
    let signing = SigningSecret::new("a signing secret of a test").unwrap();
    let tenant = TenantId::parse("acme").unwrap();
    key::issue(&tenant, &KeyId::parse("a").unwrap(), [1; 32], &signing).1
}
