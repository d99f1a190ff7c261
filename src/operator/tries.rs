//! How often a wrong admin token comes from where: whoever tries too often is told to wait.
//!
//! The right token is taken whatever was tried before, so nobody can lock the operator out, not from the operator's own address
//! either. What slows a guesser is the token's length; this keeps guesses cheap and lets a client that has the wrong token know to
//! stop.

use crate::units::Millis;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

/// How many wrong tokens of one address are answered as such, within this time.
const WRONG_MAX: u32 = 10;
const WINDOW: Millis = Millis::from_secs(60);
/// The most addresses that are remembered. Beyond them the one that began first is forgotten.
const ADDRESSES_MAX: usize = 1_024;
const ADDRESS_BYTES_MAX: usize = 64;

/// The wrong tries of each address in its window.
#[derive(Debug, Default)]
pub struct Tries {
    by_address: BTreeMap<String, Tried>,
}

#[derive(Clone, Copy, Debug)]
struct Tried {
    since: Millis,
    wrong: u32,
}

impl Tries {
    /// None so far.
    pub const fn new() -> Self {
        Self { by_address: BTreeMap::new() }
    }

    /// Notes a wrong token from `address` at `now`; how long it is to wait, if that was one too many. An address that is not
    /// known is nobody's.
    pub fn wrong(&mut self, now: Millis, address: &str) -> Option<Millis> {
        let address = network(address)?;
        // What a clock that was ahead has noted is over once it has come back.
        let fresh = |tried: &Tried| tried.since <= now && now.minus(tried.since) < WINDOW;
        if !self.by_address.contains_key(&address) && self.by_address.len() >= ADDRESSES_MAX {
            self.by_address.retain(|_, tried| fresh(tried));
            let oldest =
                self.by_address.iter().min_by_key(|(_, tried)| tried.since).map(|(address, _)| address.clone());
            if let Some(oldest) = oldest.filter(|_| self.by_address.len() >= ADDRESSES_MAX) {
                self.by_address.remove(&oldest);
            }
        }
        let tried = self.by_address.entry(address).or_insert(Tried { since: now, wrong: 0 });
        if !fresh(tried) {
            *tried = Tried { since: now, wrong: 0 };
        }
        tried.wrong = tried.wrong.saturating_add(1);
        (tried.wrong > WRONG_MAX).then(|| tried.since.plus(WINDOW).minus(now))
    }
}

/// Whose an address is: one of IPv4 somebody's, one of IPv6 that of a network of 64 bits, all of which one customer has.
fn network(address: &str) -> Option<String> {
    if address.is_empty() || address.len() > ADDRESS_BYTES_MAX {
        return None;
    }
    match address.parse::<Ipv6Addr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => Some(address.segments().iter().take(4).map(|part| format!("{part:x}:")).collect()),
        Ok(IpAddr::V4(address)) => Some(address.to_string()),
        Err(_) => Some(address.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_tries_too_often_is_told_to_wait() {
        let mut tries = Tries::new();
        let at = Millis::from_secs;
        for _ in 0..WRONG_MAX {
            assert_eq!(tries.wrong(at(100), "192.0.2.1"), None);
        }
        assert_eq!(tries.wrong(at(110), "192.0.2.1"), Some(at(50)));
        assert_eq!(tries.wrong(at(110), "192.0.2.2"), None, "another address");
        assert_eq!(tries.wrong(at(159), "192.0.2.1"), Some(at(1)));
        assert_eq!(tries.wrong(at(160), "192.0.2.1"), None, "its minute is over");
        assert_eq!(tries.wrong(at(100), ""), None);
        for _ in 0..=WRONG_MAX {
            tries.wrong(at(90_000), "192.0.2.3");
        }
        assert_eq!(tries.wrong(at(160), "192.0.2.3"), None, "the clock was ahead");
    }

    #[test]
    fn an_unknown_address_is_never_slowed_and_a_network_is_one() {
        let mut tries = Tries::new();
        for _ in 0..100 {
            assert_eq!(tries.wrong(Millis::ZERO, ""), None);
        }
        let slowed = (0..20).filter(|part| tries.wrong(Millis::ZERO, &format!("2001:db8:1:2::{part:x}")).is_some());
        assert_eq!(slowed.count(), 10);
        assert_eq!(tries.wrong(Millis::ZERO, "2001:db8:1:3::1"), None);
    }

    #[test]
    fn what_is_remembered_has_a_limit() {
        let mut tries = Tries::new();
        for address in 0..5_000_u64 {
            tries.wrong(Millis::new(address), &format!("192.0.2.{address}"));
            assert!(tries.by_address.len() <= ADDRESSES_MAX);
        }
        for _ in 0..20 {
            tries.wrong(Millis::new(5_000), "192.0.2.4999");
        }
        assert!(tries.wrong(Millis::new(5_001), "192.0.2.4999").is_some(), "the newest are kept");
    }
}
