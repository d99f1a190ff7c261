//! Which target next: a model's targets in the order in which a call tries them.

use crate::catalog::{Catalog, Model, Provider, Target};
use crate::chat::Features;
use crate::health::{Health, Standing};
use crate::policy::UnknownPrice;
use crate::price::{Price, Prices};
use crate::units::Millis;
use crate::wire::Hop;

/// A model's targets as the catalog orders them, those that rest last: health refuses nobody.
pub fn hops(catalog: &Catalog, health: &Health, now: Millis, model: &Model, unknown: UnknownPrice) -> Vec<Hop> {
    let hop = |target: &Target| {
        let provider = catalog.providers.get(&target.provider)?;
        let priced = price(catalog, target, now, unknown).unwrap_or_default();
        Some(Hop { model: target.model.clone(), lacks: target.lacks, ..hop(target.name(), provider, priced) })
    };
    let mut hops: Vec<Hop> = model.targets.iter().filter_map(hop).collect();
    hops.sort_by_key(|hop| health.standing(now, &hop.target) == Standing::Resting);
    hops
}

/// The way to `provider`, for the `target` of this name and no model of its own.
pub fn hop(target: String, provider: &Provider, (price, priced_by): (Price, String)) -> Hop {
    Hop {
        target,
        model: String::new(),
        place: provider.place.clone(),
        dialects: provider.dialects.clone(),
        query: provider.query.clone(),
        headers: provider.headers.clone(),
        secret: provider.secret.clone(),
        auth: provider.auth.clone(),
        lacks: Features::default(),
        refuses: provider.refuses,
        shared: provider.shared,
        cap_field: provider.output_cap,
        timeout: provider.timeout,
        first_event_timeout: provider.first_event_timeout,
        price,
        priced_by,
    }
}

/// What each of a model's targets costs, any of which may answer.
///
/// # Errors
/// A target without a price.
pub fn prices(catalog: &Catalog, model: &Model, now: Millis, unknown: UnknownPrice) -> Result<Prices, String> {
    let price =
        |target: &Target| price(catalog, target, now, unknown).map(|(price, _)| price).ok_or_else(|| target.name());
    model.targets.iter().map(price).collect::<Result<Vec<_>, _>>().map(Prices)
}

/// What `target` costs and where that is written; `None`: nobody knows.
pub fn price(catalog: &Catalog, target: &Target, now: Millis, unknown: UnknownPrice) -> Option<(Price, String)> {
    catalog.price(target, now).or_else(|| match unknown {
        UnknownPrice::Reject => None,
        UnknownPrice::Default => catalog.default_price(now).map(|(dated, source)| (dated.price.clone(), source)),
        UnknownPrice::TrackOnly => Some((Price::default(), String::new())),
    })
}
