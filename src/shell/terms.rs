//! What an answer of a target is billed by.

use super::call::Call;
use crate::reckon::{Known, Reckoning};
use crate::rows::End;
use crate::service::Service;
use crate::settle;
use crate::units::NanoUsd;
use crate::wire::{AnsweredBy, Hop};
use std::borrow::Cow;

/// What an answer of a target is billed by.
#[derive(Clone)]
pub(super) struct Terms<'a> {
    pub(super) hop: Cow<'a, Hop>,
    /// The service that its provider was asked for.
    asked: Service,
    reckoning: Reckoning,
    /// It only counts tokens.
    is_free: bool,
}

impl Call {
    /// What an answer of the target that is being tried is billed by.
    pub(super) fn terms(&self) -> Option<Terms<'_>> {
        // What was asked in another dialect the provider was not told.
        let is_own = self.from() == self.endpoint.dialect();
        let asked = self.envelope.as_ref().filter(|_| is_own).map(|envelope| envelope.shape.service);
        Some(Terms {
            hop: Cow::Borrowed(self.hop()?),
            asked: asked.unwrap_or_default(),
            reckoning: self.reckoning(),
            is_free: self.endpoint.counts(),
        })
    }
}

impl Terms<'_> {
    /// The same, for longer than the call.
    pub(super) fn kept(self) -> Terms<'static> {
        let Self { hop, asked, reckoning, is_free } = self;
        Terms { hop: Cow::Owned(hop.into_owned()), asked, reckoning, is_free }
    }

    /// The end of a call that is answered with `status`: its bill, and what the object is to price it by where that was `served` by
    /// another service than the standard one.
    pub(super) fn bill(&self, status: u16, known: Known, served: Service) -> (End, Option<AnsweredBy>) {
        let (priced_by, target) = (self.hop.priced_by.clone(), self.hop.target.clone());
        // A provider that refuses a request does not charge for it, not even what each call costs.
        let answered = (200..300).contains(&status) && !self.is_free;
        let (bill, truth) = if answered { settle::bill(known, &self.reckoning) } else { Default::default() };
        let cost = if answered { self.hop.price.cost(bill) } else { NanoUsd::ZERO };
        let answered_by = AnsweredBy::of(&self.hop, self.asked, served).filter(|_| answered);
        (End { bill, cost, truth, priced_by, target, status, ..End::default() }, answered_by)
    }
}
