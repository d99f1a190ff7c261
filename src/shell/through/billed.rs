//! How a native call ended, and at what it is billed.

use super::Through;
use super::passage::Passage;
use crate::passthrough::{self, Meter};
use crate::rows::End;
use crate::wire::{AnsweredBy, Hop};

impl Through {
    /// What a late answer is billed by: the provider, the path and the bytes that were sent; nothing of a call that asks for no work.
    pub(in crate::shell) fn late_terms(&self) -> Option<(Hop, String, Option<u64>)> {
        let hop = self.hop().filter(|_| self.works() && !self.touch().looks)?;
        Some((hop.clone(), self.native.path.clone(), self.sent))
    }

    /// Notes how the call ended, and at what it is billed.
    pub(super) fn ended(&mut self) {
        let (status, ways) = (self.visit.answer.status, self.hop().zip(self.passage.as_ref()));
        let (looks, path) = (self.touch().looks, &self.native.path);
        let sent = self.sent;
        let bill = |(hop, passage): (&Hop, &Passage)| bill(hop, path, &passage.passing().meter, (status, looks, sent));
        if let Some((end, answered_by)) = ways.map(bill) {
            (self.end, self.answered_by) = (end, answered_by);
        }
        let looked = self.passage.as_ref().filter(|_| status == 200).map(Passage::looked);
        self.heard = looked.and_then(|(made, usage)| self.heard(&made, usage));
        self.kept = self.passage.as_ref().map(Passage::made).unwrap_or_default();
    }
}

/// The end of a call that `hop` answered with `status`, and what the object is to price it by. A provider that refuses a request
/// does not charge for it, not even what each call costs; one that only `looks` at something used nothing itself.
pub(in crate::shell) fn bill(
    hop: &Hop,
    path: &str,
    meter: &Meter,
    told: (u16, bool, Option<u64>),
) -> (End, Option<AnsweredBy>) {
    let (status, looks, sent) = told;
    let (priced_by, target) = (hop.priced_by.clone(), hop.target.clone());
    if !(200..300).contains(&status) {
        return (End { priced_by, target, status, ..End::default() }, None);
    }
    let (bill, cost, truth) = passthrough::bill(&hop.price, !looks, meter, sent);
    let model = meter.model().filter(|_| !looks);
    let provider = hop.target.trim_end_matches("/*");
    let target = model.map_or(target, |model| format!("{provider}/{model}"));
    let answered_by = AnsweredBy::of_path(hop, path, model, meter.service()).filter(|_| !looks);
    (End { bill, cost, truth, priced_by, target, status, ..End::default() }, answered_by)
}
