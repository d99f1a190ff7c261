//! Ends that are not a provider's first word: silence, what is told later, credits.

use super::History;
use tollgate::price::Bill;
use tollgate::rows::{CallKey, CallRow, End, State, Truth};
use tollgate::units::{NanoUsd, Tokens};
use tollgate::wire::{Admission, Credited};

impl History {
    pub(super) fn fall_silent(&mut self, call: &str, admission: &Admission, silent: usize, answered: Option<u64>) {
        let before = self.world.rows.calls[&admission.at].clone();
        let held = before.held;
        let parts = answered.map(|part| (held.input.get() * part / 4, held.output.get() * part / 4));
        let (input, output) = parts.unwrap_or_default();
        let bill = Bill::of(Tokens::new(input), Tokens::new(output));
        let told = NanoUsd::new(input * 1_000 + output * 2_000);
        let status = if answered.is_some() { 200 } else { 504 };
        let end = End { bill, cost: told, status, ..End::default() };
        let silent = ["p/m", "q/m"].into_iter().take(silent).map(str::to_owned).collect();
        self.world.end_with(call, Some(admission.at), end, silent, false);
        let row = &self.world.rows.calls[&admission.at];
        if before.state == State::Settled {
            assert_eq!(*row, before, "an estimate counts in place of nothing that is known");
            return;
        }
        let end = row.end.as_ref().unwrap();
        assert!(end.truth == Truth::Estimated && end.cost > NanoUsd::ZERO, "silence costs: {row:?}");
        assert!(end.cost >= told && end.cost <= held.cost.max(told), "{:?} of {:?}", end.cost, held.cost);
        assert!(end.bill.output >= bill.output && end.bill.output <= held.output.max(bill.output));
    }

    pub(super) fn tell(&mut self, which: usize, part: u64) {
        let untold = |row: &&CallRow| row.end.as_ref().is_some_and(|end| end.truth.is_open());
        let untold: Vec<CallRow> = self.world.rows.calls.values().filter(untold).cloned().collect();
        if !untold.is_empty() {
            let row = &untold[which % untold.len()];
            let (input, output) = (row.held.input.get() * part / 4, row.held.output.get() * part / 4);
            self.world.settle(&row.call, Some(row.at), input, output);
        }
    }

    pub(super) fn credit(&mut self, call: &str, at: CallKey, part: u64) {
        self.world.expire();
        let before = self.world.rows.calls[&at].clone();
        let billed = before.end.as_ref().map(|end| end.cost).unwrap_or_default();
        let amount = billed.get() * part / 4;
        let credited = self.world.credit(call, at, Some(amount));
        let after = &self.world.rows.calls[&at];
        let Credited::Given { billed: costs, .. } = credited else {
            let was = before.end.as_ref().is_some_and(|end| end.truth == Truth::Credited);
            assert!(before.state == State::Open || was || amount == 0 || part > 4, "{credited:?}");
            assert_eq!(*after, before, "what is refused changes nothing");
            return;
        };
        let (old, new) = (before.end.unwrap(), after.end.clone().unwrap());
        assert_eq!((new.cost, new.cost.get() + amount), (costs, old.cost.get()));
        assert_eq!((after.state, new.truth, new.bill), (State::Settled, Truth::Credited, old.bill));
        let again = self.world.credit(call, at, None);
        assert_eq!(again, Credited::Before { billed: costs }, "a call is credited once");
        self.was_credited = true;
    }
}
