//! Which target next: a model's targets in the order in which a call tries them.

use crate::catalog::{Catalog, Model, Target};
use crate::health::{Health, Standing};
use crate::price::Price;
use crate::units::Millis;
use crate::wire::Hop;

/// A model's targets as the catalog orders them, those that rest last: health refuses nobody.
pub fn hops(catalog: &Catalog, health: &Health, now: Millis, model: &Model) -> Vec<Hop> {
    let hop = |target: &Target| {
        let provider = catalog.providers.get(&target.provider)?;
        Some(Hop {
            target: target.name(),
            model: target.model.clone(),
            base_url: provider.base_url.clone(),
            secret: provider.secret.clone(),
            cap_field: provider.output_cap,
            timeout: provider.timeout,
            price: catalog.price(target).unwrap_or_default(),
        })
    };
    let mut hops: Vec<Hop> = model.targets.iter().filter_map(hop).collect();
    hops.sort_by_key(|hop| health.standing(now, &hop.target) == Standing::Resting);
    hops
}

/// The highest price among a model's targets, any of which may answer; and a target without a price.
pub fn dearest_price(catalog: &Catalog, model: &Model) -> (Price, Option<String>) {
    let mut dearest = Price::default();
    let mut unpriced = None;
    for target in &model.targets {
        match catalog.price(target) {
            Some(price) => dearest = dearest.dearest(price),
            None => unpriced = Some(target.name()),
        }
    }
    (dearest, unpriced)
}
