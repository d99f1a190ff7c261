//! A clock that jumps ahead and comes back.

use super::History;
use std::collections::{BTreeMap, HashMap};
use tollgate::rows::CallKey;
use tollgate::units::Millis;

impl History {
    /// The clock jumps ahead.
    pub(super) fn jump(&mut self, by: Millis) {
        self.steady = false;
        (self.ahead, self.world.now) = (self.ahead.plus(by), self.world.now.plus(by));
    }

    /// The clock comes back, if it was ahead: calls that are dated ahead get other places.
    pub(super) fn come_back(&mut self) {
        let ahead = std::mem::take(&mut self.ahead);
        self.steady &= ahead == Millis::ZERO;
        let before = self.world.usage();
        let rows = self.world.rows.calls.len();
        if !self.world.set_back(ahead) {
            return;
        }
        assert_eq!(
            (self.world.usage(), self.world.rows.calls.len()),
            (before, rows),
            "nothing is lost on the way back"
        );
        self.was_back = true;
        let places: HashMap<String, CallKey> =
            self.world.rows.calls.values().map(|row| (row.call.clone(), row.at)).collect();
        let mut moved = BTreeMap::new();
        for (call, _, admission) in &mut self.calls {
            moved.insert(admission.at, places[call]);
            admission.at = places[call];
        }
        let latest = self.world.now.plus(Millis::new(1));
        assert!(self.calls.iter().all(|(.., admission)| admission.at.millis() <= latest), "nothing is dated ahead");
        assert!(self.world.rows.usage.keys().all(|row| row.start <= self.world.now), "nor is what was used");
        self.first = std::mem::take(&mut self.first).into_iter().map(|(at, load)| (moved[&at], load)).collect();
        self.known = std::mem::take(&mut self.known).into_iter().map(|(at, cost)| (moved[&at], cost)).collect();
    }
}
