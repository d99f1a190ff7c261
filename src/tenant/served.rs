//! What a call costs by how it is served: what is held where its request asks for more than the standard service, and what is
//! billed by what its answer says.

use super::Tenant;
use crate::bound::{InputBound, Shape};
use crate::catalog::{Model, UNBOUNDED_DEFAULT};
use crate::passthrough;
use crate::policy::UnknownPrice;
use crate::price::{Bill, Prices};
use crate::rows::{CallRow, End, Truth};
use crate::tariff::{Charge, Dated};
use crate::units::{Millis, NanoUsd};
use crate::wire::AnsweredBy;

impl Tenant {
    /// The prices of a call that `shape` is of, with those of the services that it asks for. What these have no price for is
    /// added to what `input` holds besides.
    ///
    /// A service that is asked for may be given or not: the dearer of both is held for. `auto` is no such request; a project
    /// that its provider serves by a dearer tier unasked is held for at the standard price, and billed by what answers say.
    pub(super) fn served(
        &self,
        now: Millis,
        model: &Model,
        unknown: UnknownPrice,
        shape: &Shape,
        mut prices: Prices,
        input: &mut InputBound,
    ) -> Prices {
        let uses_max = if shape.unbounded && !shape.service_alone { shape.uses_max } else { 0 };
        if (shape.service.is_untold() && uses_max == 0) || prices.0.is_empty() {
            return prices;
        }
        let (mut unpriced, mut fees, mut dearest) = (false, NanoUsd::ZERO, NanoUsd::ZERO);
        for target in &model.targets {
            let default = || self.config.catalog.default_price(now).filter(|_| unknown == UnknownPrice::Default);
            let Some((dated, _)) = self.config.catalog.dated(target, now).or_else(default) else { continue };
            let served = dated.served(&shape.service, now);
            prices.0.extend(served.prices.into_iter().map(std::borrow::Cow::into_owned));
            unpriced |= served.unpriced;
            fees = fees.max(served.fees);
            dearest = dearest.max(dated.extras.fees.dearest());
        }
        let reserve = if unpriced || !shape.service_alone { input.reserve } else { NanoUsd::ZERO };
        input.reserve = reserve.plus(fees).max(dearest.times(uses_max));
        prices
    }

    /// `end` of `row`'s call at its price: the one place where what an answer says of itself becomes one.
    ///
    /// The front has priced the call by the standard price of the target that answered. Where the answer says more (another
    /// tier, region or speed, searches, its cost; natively also its model), the settlement has it as
    /// [`AnsweredBy`], and the price of that model and service counts; what they have no price for is billed by what is held
    /// for whatever has no bound.
    pub(super) fn priced(&self, row: &CallRow, answered_by: Option<&AnsweredBy>, end: End) -> End {
        let Some(by) = answered_by else {
            return end;
        };
        let at = row.at.millis();
        let model = self.config.catalog.models.get(&row.model);
        let reserve = model.map_or(UNBOUNDED_DEFAULT, |model| model.unbounded_reserve);
        let path = self.path_of(by, at);
        let each = path.as_ref().map(|(dated, _)| {
            let served = dated.served(&by.service, at);
            served.prices.iter().map(|price| price.request).max().unwrap_or_default()
        });
        let each = each.or(Some(by.request)).filter(|each| *each > NanoUsd::ZERO);
        let default = || {
            let (dated, source) = self.config.catalog.default_price(at)?;
            end.priced_by.starts_with("default:").then(|| (dated.clone(), source))
        };
        let of_model = || self.config.catalog.model_price(&by.provider, &by.model, at);
        let found = (!by.model.is_empty()).then(of_model).flatten();
        if let Some((dated, source)) = found.or(path).or_else(default) {
            let Charge { cost, suffix } = dated.charge((end.bill, &by.service), at, reserve, each);
            // Where no usage was told, what was held or counted is the least.
            if end.truth != Truth::Reported && cost <= end.cost {
                return end;
            }
            return End { cost, priced_by: format!("{source}{suffix}"), ..end };
        }
        if end.priced_by.is_empty() {
            // Nobody knows a price, and the policy takes that for free.
            return end;
        }
        // The price that the call was admitted by is gone since.
        let more = Dated::default().charge((Bill::default(), &by.service), at, reserve, None);
        End { cost: end.cost.plus(more.cost), priced_by: format!("{}{}", end.priced_by, more.suffix), ..end }
    }

    /// The price of a native call's path.
    fn path_of(&self, by: &AnsweredBy, at: Millis) -> Option<(Dated, String)> {
        let provider = self.config.catalog.providers.get(&by.provider);
        let base_url = provider.and_then(|provider| provider.place.address()).unwrap_or_default();
        let names = (!by.path.is_empty()).then(|| passthrough::names(&by.provider, base_url, &by.path));
        let names = names.into_iter().flatten();
        let mut own = names.filter_map(|name| self.config.catalog.own_price(&name, at));
        own.next().map(|(dated, source)| (dated.clone(), source))
    }
}
