//! Native calls, as a tenant decides on them: what is passed on, what is held for it, what it is billed.
//!
//! What such a call asks for is not read, so no count of tokens is known before its answer tells one: it holds none. Of
//! money it holds what its path costs each time, where the catalog says, or else what is held for whatever has no bound.

use super::Tenant;
use crate::address::opened;
use crate::catalog::{Auth, Provider, UNBOUNDED_DEFAULT};
use crate::dialect::{Dialect, Endpoint};
use crate::gauge::Gauges;
use crate::key::KeyId;
use crate::limits::{Caller, Load};
use crate::passthrough::{self, Touch};
use crate::policy::UnknownPrice;
use crate::price::Price;
use crate::reach::{Barrier, Named, What};
use crate::route;
use crate::rows::{CallRow, Change, State};
use crate::tariff::Dated;
use crate::units::{Millis, NanoUsd, Tokens};
use crate::wire::{Admission, Ask, Denial, Hop, Reply, Through};

/// What such calls are called in rows, in place of an endpoint.
pub(super) const ENDPOINT: &str = "passthrough";

impl Tenant {
    /// Answers a native call that asks.
    pub(super) fn pass(&mut self, now: Millis, ask: &Ask, through: &Through) -> Reply {
        let dialect = self.config.catalog.native(through.provider.as_deref()).and_then(|(_, to)| to.dialects.first());
        let dialect = dialect.copied().unwrap_or(Dialect::OpenAi);
        self.admit_through(now, ask, through).map_or_else(|denial| Reply::Barred { denial, dialect }, Reply::Admitted)
    }

    fn admit_through(&mut self, now: Millis, ask: &Ask, through: &Through) -> Result<Admission, Denial> {
        // As for any other call: places are unique, and may reach into the next millisecond.
        let now = self.tick(now.max(self.ledger.next_place(now).millis()));
        self.expire(now);
        self.known(now, &ask.key, &ask.hash, ask.origin.as_deref())?;
        let unknown = || Denial::ProviderUnknown(through.provider.clone());
        let (name, to) = self.config.catalog.native(through.provider.as_deref()).ok_or_else(unknown)?;
        let (name, to) = (name.to_owned(), to.clone());
        let model = passthrough::model_name(&name);
        let base_url = to.place.address().unwrap_or_default();
        self.passes(&ask.key, &name, base_url, &through.path)?;
        if matches!(to.auth, Auth::Aws { .. }) {
            return Err(Denial::ProviderSigns(name));
        }
        if base_url.is_empty() {
            return Err(Denial::ProviderBound(name));
        }
        let touch = self.touches(now, ask, through, (&name, &to))?;
        if self.ledger.forestalled(&ask.call) {
            return Err(Denial::CallEnded);
        }
        let caller = Caller { key: &ask.key, model: &model };
        if let Some(row) = self.ledger.find(&ask.call).cloned() {
            if row.state != State::Open {
                return Err(Denial::CallEnded);
            }
            let price = self.path_price(row.at.millis(), caller, (&name, base_url), (&through.path, &touch));
            let price = price.map(|(dated, source)| (dated.price, source)).unwrap_or_default();
            return Ok(self.passed(now, &row, route::hop(passthrough::target_name(&name), &to, price)));
        }
        let (dated, source) = self.path_price(now, caller, (&name, base_url), (&through.path, &touch))?;
        let request = dated.dearest_request();
        let cost = if request > NanoUsd::ZERO || touch.looks { request } else { UNBOUNDED_DEFAULT };
        let price = (dated.price, source);
        let load = Load { cost, ..Load::default() };
        let blocks = self.limits.blocks(now, caller, &load, self.ledger.first_lease());
        if !blocks.is_empty() {
            let gauges = Gauges::of(now, self.limits.covering(now, caller));
            return Err(Denial::Limited { blocks, affordable: None, asked: None, gauges });
        }

        // From here on the call is admitted.
        let at = self.ledger.place(now);
        let row = CallRow {
            at,
            call: ask.call.clone(),
            key: ask.key.clone(),
            model: model.clone(),
            endpoint: ENDPOINT.to_owned(),
            bytes: 0,
            state: State::Open,
            lease_ends: at.millis().plus(self.policy(&ask.key).lease),
            held: load,
            special: true,
            stop_at: None,
            catalog: self.config.catalog.version,
            end: None,
        };
        self.limits.reserve(at.millis(), now, caller, &load);
        self.ledger.insert(row.clone());
        self.changes.push(Change::Opened(row.clone()));
        Ok(self.passed(now, &row, route::hop(passthrough::target_name(&name), &to, price)))
    }

    /// Whether `key` may pass on a call to `path` of `provider` at `base_url`.
    fn passes(&self, key: &KeyId, provider: &str, base_url: &str, path: &str) -> Result<(), Denial> {
        let denied = |field: &str, name: String| Err(Denial::NotPassed { field: field.to_owned(), name });
        let (own, tenant) = (self.policy(key), &self.config.policy);
        let patterns = own.passthrough.as_ref().or(tenant.passthrough.as_ref());
        if !patterns.is_some_and(|patterns| passthrough::allows(patterns, provider, base_url, path)) {
            return denied("passthrough", name_of(provider, base_url, path));
        }
        let model = passthrough::model_name(provider);
        if own.allows(&model) && tenant.allows(&model) { Ok(()) } else { denied("models", model) }
    }

    /// What a call does with what is kept at its provider, of the name and the row given: whether it may.
    fn touches(&self, now: Millis, ask: &Ask, through: &Through, to: (&str, &Provider)) -> Result<Touch, Denial> {
        let (Through { method, path, .. }, reach, (name, provider)) = (through, &ask.reach, to);
        let base_url = provider.place.address().unwrap_or_default();
        let called = opened(base_url, path).1;
        let touch = Touch::of(method, called);
        let barred = |what, field: String, id: String| Err(Denial::Reaches(Barrier::Named(Named { what, field, id })));
        let at_path = || format!("{name}/{path}");
        let is_priced = || {
            let own =
                passthrough::names(name, base_url, path).find_map(|name| self.config.catalog.own_price(&name, now));
            own.is_some_and(|(dated, _)| dated.dearest_request() > NanoUsd::ZERO)
        };
        let work = reach.named.iter().find(|named| named.what == What::Later).map(|named| named.field.clone());
        if let Some(field) = work.or_else(|| touch.later.then(at_path)).filter(|_| !is_priced()) {
            return barred(What::Later, field, String::new());
        }
        if let Some(named) =
            reach.named.iter().find(|named| named.what == What::Model).filter(|_| calls_a_model(called))
        {
            return barred(What::Model, named.field.clone(), String::new());
        }
        if !provider.shared {
            return Ok(touch);
        }
        if reach.crowded {
            return Err(Denial::Reaches(Barrier::Crowded));
        }
        if touch.all {
            return barred(What::Kept, at_path(), String::new());
        }
        let is_own = |id: &str| reach.owns(id, name);
        if let Some(id) = touch.names.first().filter(|_| !touch.names.iter().any(|id| is_own(id))) {
            return barred(What::Kept, at_path(), id.clone());
        }
        match reach.named.iter().find(|named| named.what == What::Kept && !is_own(&named.id)) {
            Some(named) => Err(Denial::Reaches(Barrier::Named(named.clone()))),
            None => Ok(touch),
        }
    }

    /// What a call to `path` of a provider, by its name and its address, costs besides what its answer's model does, and where
    /// that is written.
    fn path_price(
        &self,
        now: Millis,
        caller: Caller<'_>,
        (provider, base_url): (&str, &str),
        (path, touch): (&str, &Touch),
    ) -> Result<(Dated, String), Denial> {
        let catalog = &self.config.catalog;
        let unknown = self.policy(caller.key).unknown_price;
        let own = passthrough::names(provider, base_url, path).find_map(|name| catalog.own_price(&name, now));
        let default = || catalog.default_price(now).filter(|_| unknown == UnknownPrice::Default);
        if touch.looks {
            // What it tells of a usage is that of what it looks at.
            let request = |(dated, by): (&Dated, String)| {
                let price = Price { request: dated.price.request, ..Price::default() };
                (Dated { price, ..Dated::default() }, by)
            };
            return Ok(own.map(request).unwrap_or_default());
        }
        match own.or_else(default) {
            Some((dated, source)) => Ok((dated.clone(), source)),
            None if unknown != UnknownPrice::TrackOnly && self.limits.bound_cost(caller) => Err(Denial::PriceUnknown {
                target: name_of(provider, base_url, path),
                no_default: unknown == UnknownPrice::Default,
            }),
            None => Ok((Dated::default(), String::new())),
        }
    }

    /// What is said of `row`'s call, which goes to `hop`.
    fn passed(&mut self, now: Millis, row: &CallRow, hop: Hop) -> Admission {
        let gauges = Gauges::of(now, self.limits.covering(now, Caller { key: &row.key, model: &row.model }));
        let policy = self.policy(&row.key);
        Admission {
            at: row.at,
            hops: vec![hop],
            output_cap: None,
            drop_unsupported: false,
            max_output: None,
            input_estimate: Tokens::ZERO,
            input_max: None,
            context: None,
            on_disconnect: policy.on_disconnect,
            lease: policy.lease,
            gauges,
        }
    }
}

/// Whether `path` is one by which a model of the caller's choice answers: what chooses another is known by name there.
fn calls_a_model(path: &str) -> bool {
    let ends = |own: &str| {
        path.strip_suffix(own.trim_start_matches('/')).is_some_and(|head| head.is_empty() || head.ends_with('/'))
    };
    Endpoint::paths().any(ends) || path.contains(":generateContent") || path.contains(":streamGenerateContent")
}

/// The name by which a refusal tells a native call: the first that rules and prices know it by.
fn name_of(provider: &str, base_url: &str, path: &str) -> String {
    passthrough::names(provider, base_url, path).next().unwrap_or_default()
}
