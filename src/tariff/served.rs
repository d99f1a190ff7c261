//! What a call costs by how it was served: other services have prices of their own, and so have the uses of the provider's tools.
//!
//! | what was served | costs |
//! |---|---|
//! | by a service that the price has a variant for | what the variant says; of two prices the dearer |
//! | by one that is never dearer (`flex`, `batch`, `scale`), without a variant | the standard price |
//! | by any other, without a variant | the standard price and what is held for whatever has no bound |
//! | a use of a tool | its fee; without one, what is held for whatever has no bound, once for the whole call |
//! | a call that its provider says cost more than all this | that, as far as what is held for whatever has no bound goes beyond it |

use super::Dated;
use crate::price::{Bill, Price};
use crate::service::{Service, Uses, Word};
use crate::units::{Millis, NanoUsd};
use std::borrow::Cow;

/// What a price says beyond the standard service's tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    /// Services that have a price of their own, each by the provider's word for it.
    pub variants: Vec<Variant>,
    /// What a use of the provider's own tools costs.
    pub fees: Fees,
}

/// What one service changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The provider's word for it.
    pub name: Word,
    /// When it has this price; of several that hold, the first counts.
    pub when: super::When,
    /// What it changes.
    pub change: Change,
    /// The fees that it names.
    pub fees: Fees,
}

/// How a variant changes a price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// This is its price.
    Price(Price),
    /// Every rate is multiplied by so many millionths.
    Scale(u64),
}

/// What a use of each of the provider's own tools costs; `None`: that is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fees {
    /// A search of the web.
    pub search: Option<NanoUsd>,
    /// A search of files that are kept at the provider.
    pub file_search: Option<NanoUsd>,
    /// A container in which code runs.
    pub container: Option<NanoUsd>,
    /// A picture.
    pub image: Option<NanoUsd>,
}

/// What a service makes of a price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served<'a> {
    /// The prices that may hold, of which the dearest does.
    pub prices: Vec<Cow<'a, Price>>,
    /// The variants that made them.
    pub variants: Vec<Word>,
    /// What the tools' uses cost, as far as that is known.
    pub fees: NanoUsd,
    /// Something of the service has no price.
    pub unpriced: bool,
}

/// What a call is charged, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The money.
    pub cost: NanoUsd,
    /// What is written behind the name of the price: `/priority`, `+reserve`, `+told`; empty for the standard service.
    pub suffix: String,
}

impl Fees {
    /// These, and what only `base` names.
    #[must_use]
    pub fn or(self, base: Self) -> Self {
        Self {
            search: self.search.or(base.search),
            file_search: self.file_search.or(base.file_search),
            container: self.container.or(base.container),
            image: self.image.or(base.image),
        }
    }

    /// The dearest of them.
    pub fn dearest(self) -> NanoUsd {
        let Self { search, file_search, container, image } = self;
        [search, file_search, container, image].into_iter().flatten().max().unwrap_or_default()
    }

    /// What `uses` cost, and whether all of them have a fee.
    fn of(self, uses: Uses) -> (NanoUsd, bool) {
        let Uses { searches, file_searches, containers, images, others } = uses;
        let parts = [
            (searches, self.search),
            (file_searches, self.file_search),
            (containers, self.container),
            (images, self.image),
            (others, None),
        ];
        let used = || parts.into_iter().filter(|(uses, _)| *uses > 0);
        let sum = used().fold(NanoUsd::ZERO, |sum, (uses, fee)| sum.plus(fee.unwrap_or_default().times(uses)));
        (sum, used().all(|(_, fee)| fee.is_some()))
    }
}

impl Dated {
    /// The price of a call that is served by `service` at the instant `at`.
    pub fn served(&self, service: &Service, at: Millis) -> Served<'_> {
        let (variants, mut fees) = (&self.extras.variants, self.extras.fees);
        let (mut prices, mut scale, mut names, mut unpriced) = (Vec::new(), Vec::new(), Vec::new(), false);
        for (word, is_dearer) in service.words() {
            let Some(variant) = variants.iter().find(|variant| variant.name == word && variant.when.holds(at)) else {
                unpriced |= is_dearer;
                continue;
            };
            names.push(word);
            fees = variant.fees.or(fees);
            match &variant.change {
                Change::Price(price) => prices.push(Cow::Borrowed(price)),
                Change::Scale(millionths) => scale.push(*millionths),
            }
        }
        if prices.is_empty() {
            prices.push(Cow::Borrowed(&self.price));
        }
        for millionths in scale {
            prices.iter_mut().for_each(|price| *price = Cow::Owned(price.as_ref().clone().scaled(millionths)));
        }
        // What a call costs each time is said to cover its searches, unless these have a fee.
        if fees.search.is_none() && self.price.request > NanoUsd::ZERO {
            fees.search = Some(NanoUsd::ZERO);
        }
        let mut uses = service.uses;
        if service.cited && fees.search.is_some() {
            uses.searches = uses.searches.max(1);
        }
        let (fees, all_known) = fees.of(uses);
        Served { prices, variants: names, fees, unpriced: unpriced || !all_known }
    }

    /// The most that a call costs each time, by whatever service.
    pub fn dearest_request(&self) -> NanoUsd {
        let variants = self.extras.variants.iter().filter_map(|variant| match &variant.change {
            Change::Price(price) => Some(price.request),
            Change::Scale(_) => None,
        });
        variants.fold(self.price.request, NanoUsd::max)
    }

    /// What `bill` costs where the call was served by `service`. `reserve`: what is held for whatever has no bound;
    /// `request`: what each call costs, where that is not the price's own.
    pub fn charge(
        &self,
        (bill, service): (Bill, &Service),
        at: Millis,
        reserve: NanoUsd,
        request: Option<NanoUsd>,
    ) -> Charge {
        let Served { prices, variants, fees, unpriced } = self.served(service, at);
        let cost = |price: &Cow<'_, Price>| {
            let own = price.cost(bill);
            request.map_or(own, |request| own.minus(price.request).plus(request))
        };
        let known = prices.iter().map(cost).max().unwrap_or_default().plus(fees);
        let mut suffix =
            variants.iter().fold(String::new(), |suffix, variant| format!("{suffix}/{}", variant.as_str()));
        let most = known.plus(reserve);
        let cost = match service.cost {
            // It has all of it, what has no price here too.
            Some(told) if told > known => {
                suffix.push_str("+told");
                told.min(most)
            }
            _ if unpriced => {
                suffix.push_str("+reserve");
                most
            }
            _ => known,
        };
        Charge { cost, suffix }
    }
}

#[cfg(test)]
mod tests;
