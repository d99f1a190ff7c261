//! A clock that was ahead and has come back: what is dated ahead of it is dated to its return.
//!
//! A machine's clock may be wrong, and an object may move to another machine. While a clock is ahead its time is taken for the
//! time that it is. Once it has come back, calls of a time that is not yet would fill windows that nobody can wait for: they count
//! as calls of the moment of the return, in their order, and so do their usage, their holds and what was overshot.

use super::{Config, Stored, Tenant};
use crate::health;
use crate::policy::{LEASE_MAX, Policy};
use crate::rows::{CallKey, State};
use crate::units::Millis;
use crate::window::Period;

/// How far a clock may be behind a time that it has told, for which a tenant's time stands still. One that is further behind was
/// ahead then.
const BEHIND_MAX: Millis = Millis::from_secs(5);

/// The return of a clock that was ahead: what is dated later than these times is dated to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Return {
    /// What it tells now. Calls that are dated ahead have the first places after it, in their order.
    pub now: Millis,
    /// When the leases of calls under way end at the latest.
    pub leases_end: Millis,
    /// When targets that rest are tried again at the latest.
    pub rests_end: Millis,
}

impl Return {
    /// The return, at `now`, of the clock of the tenant that `config` describes.
    pub fn at(now: Millis, config: &Config) -> Self {
        let own = config.keys.values().filter_map(|key| key.policy.as_ref());
        let lease = own.chain([&config.policy]).map(|Policy { lease, .. }| *lease).max().unwrap_or_default();
        Self { now, leases_end: now.plus(lease), rests_end: now.plus(health::REST_MAX) }
    }

    /// The last place that is not dated ahead.
    pub const fn place(&self) -> CallKey {
        CallKey::at(self.now)
    }

    /// The start of `period` at the return: usage of later ones belongs to it.
    pub fn start(&self, period: Period) -> Millis {
        period.start(self.now)
    }
}

impl Stored {
    /// Whether rows were written by a clock that was ahead of `now`.
    pub fn is_ahead(&self, now: Millis) -> bool {
        let latest = now.plus(BEHIND_MAX);
        let mut open = self.calls.iter().filter(|row| row.state == State::Open);
        self.last.max(self.flushed).millis() > latest
            || open.any(|row| row.lease_ends > latest.plus(LEASE_MAX))
            || self.health.iter().any(|row| row.rests_until > latest.plus(health::ASKED_MAX))
    }
}

impl Tenant {
    /// Whether its clock was ahead of `now`: its rows are to be dated to its return, and it is to be restored from them.
    pub fn is_ahead(&self, now: Millis) -> bool {
        self.now > now.plus(BEHIND_MAX)
    }

    /// Ends the return of its clock, after the tenant was restored: the next windows owe what the present ones have beyond their
    /// limits with all that came into them, and later ones nothing.
    pub fn returned(&mut self) {
        self.limits.reckon_debts(self.now);
    }
}
