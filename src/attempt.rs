//! What became of a call's attempts: what health learns of each, and whether it is billed.
//!
//! A request that was sent may have been worked on, whatever comes back. So silence costs, and an
//! attempt is free only where its provider surely did nothing.

use crate::health::Outcome;

/// How an attempt at a target ended, and with that whether it is billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The request did not reach the provider: no connection, no secret, no token. It is free.
    NotSent,
    /// The provider answered that it did not do it: a status that is an error. It is free.
    Refused,
    /// The provider answered, and its answer never began: an error is its first event, or it is
    /// empty. It is free.
    NeverBegan,
    /// The head of a stream came, and nothing of the answer within its time. It is free if another
    /// target answers, and else as [`Ending::Silent`].
    Stalled,
    /// The request was sent, and what the provider did is not known: no head in time, a connection
    /// that broke, an answer that is cut or cannot be read. An estimate is billed.
    Silent,
    /// It answered, and is billed by what is known of its answer.
    Answered,
}

/// The statuses by which a gateway at the provider's edge tells that its own server did not answer
/// it in time: that may have worked all the same. 598 is its read timeout, 524 Cloudflare's.
const EDGE_TIMEOUTS: [u16; 4] = [408, 504, 524, 598];

/// Runtime errors that say that a connection broke; they do not say whether it ever was one.
const CONNECTION_LOST: &str = "Network connection lost.";
/// Runtime errors that do not say what went wrong: an address that cannot be resolved, a TLS
/// handshake that failed.
const INTERNAL: &str = "internal error";

impl Ending {
    /// How an attempt ended to which the provider answered with a `status` that is an error.
    pub fn of_status(status: u16) -> Self {
        if EDGE_TIMEOUTS.contains(&status) { Self::Silent } else { Self::Refused }
    }
}

/// Whether the error `message` of a request to `address` leaves open if there was a connection, so
/// that it is worth trying to open one.
///
/// The runtime says the same of a port that nobody listens on and of a connection that was reset
/// after the request. At the usual ports another connection tells nothing: Cloudflare's edge, which
/// is in front of many providers, takes requests but no connections, and answers for a server that
/// it cannot reach (521 to 523, 525, 526, 530).
pub fn is_doubtful(message: &str, address: &str) -> bool {
    let authority = address.split("://").nth(1).and_then(|rest| rest.split(['/', '?']).next()).unwrap_or_default();
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    let usual = port.is_none_or(|port| matches!(port, "" | "80" | "443") || port.ends_with(']'));
    message.starts_with(INTERNAL) || (message.starts_with(CONNECTION_LOST) && !usual)
}

/// How an attempt at a model behind a binding ended whose error has this `message`: a binding's own
/// errors are refusals.
pub fn of_binding_error(message: &str) -> Ending {
    let lost = [CONNECTION_LOST, INTERNAL].iter().any(|lost| message.starts_with(lost));
    if lost { Ending::Silent } else { Ending::Refused }
}

/// The attempts of one call, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    all: Vec<(String, Outcome, Ending)>,
    /// The target that was sent the request, and of which nothing is known yet.
    under_way: Option<String>,
}

impl Attempts {
    /// Notes that `target` is sent the request.
    pub fn send(&mut self, target: &str) {
        self.under_way = Some(target.to_owned());
    }

    /// Notes how the attempt at `target` ended.
    pub fn end(&mut self, target: &str, outcome: Outcome, ending: Ending) {
        self.under_way = None;
        self.all.push((target.to_owned(), outcome, ending));
    }

    /// Notes that the call is given up, whatever the target that was sent the request does.
    pub fn give_up(&mut self) {
        if let Some(target) = self.under_way.take() {
            self.all.push((target, Outcome::Failed, Ending::Silent));
        }
    }

    /// Whether there was none.
    pub const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The targets that fell silent, each of which is billed by an estimate.
    pub fn silent(&self) -> Vec<String> {
        let answered = self.all.iter().any(|(.., ending)| *ending == Ending::Answered);
        let costs = |ending: Ending| match ending {
            Ending::Silent => true,
            Ending::Stalled => !answered,
            Ending::NotSent | Ending::Refused | Ending::NeverBegan | Ending::Answered => false,
        };
        let silent = self.all.iter().filter(|(.., ending)| costs(*ending));
        silent.map(|(target, ..)| target.clone()).collect()
    }

    /// What health learns: each target and its outcome. There are none left then.
    pub fn take(&mut self) -> Vec<(String, Outcome)> {
        std::mem::take(&mut self.all).into_iter().map(|(target, outcome, _)| (target, outcome)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The targets of `a`, `b`, … that are billed where attempts end so, one after the other.
    #[track_caller]
    fn check(endings: &[Ending], silent: &[&str]) {
        let mut attempts = Attempts::default();
        for (target, ending) in ["a", "b", "c"].into_iter().zip(endings) {
            attempts.send(target);
            let outcome = if *ending == Ending::Answered { Outcome::Answered } else { Outcome::Failed };
            attempts.end(target, outcome, *ending);
        }
        attempts.give_up();
        assert_eq!(attempts.silent(), silent, "{endings:?}");
        assert_eq!(attempts.take().len(), endings.len());
    }

    #[test]
    fn only_silence_is_billed_by_an_estimate() {
        use Ending::{Answered, NeverBegan, NotSent, Refused, Silent, Stalled};
        check(&[], &[]);
        check(&[NotSent, Refused, NeverBegan], &[]);
        check(&[Silent, Refused], &["a"]);
        check(&[Silent, Silent, Answered], &["a", "b"]);
        check(&[Stalled, Answered], &[]);
        check(&[Stalled, Refused], &["a"]);
        check(&[Stalled, Silent], &["a", "b"]);
    }

    #[test]
    fn a_call_that_is_given_up_leaves_the_target_that_was_sent_it_silent() {
        let mut attempts = Attempts::default();
        attempts.give_up();
        assert!(attempts.is_empty());
        attempts.send("a");
        attempts.end("a", Outcome::Failed, Ending::NotSent);
        attempts.send("b");
        attempts.give_up();
        assert_eq!(attempts.silent(), ["b"]);
        let outcomes = [("a".to_owned(), Outcome::Failed), ("b".to_owned(), Outcome::Failed)];
        assert_eq!(attempts.take(), outcomes);
    }

    #[test]
    fn an_edge_that_waited_in_vain_tells_of_no_refusal() {
        for status in [408, 504, 524, 598] {
            assert_eq!(Ending::of_status(status), Ending::Silent, "{status}");
        }
        for status in [400, 401, 429, 500, 502, 503, 521, 522, 523, 525, 529, 530] {
            assert_eq!(Ending::of_status(status), Ending::Refused, "{status}");
        }
    }

    #[test]
    fn only_what_another_connection_can_tell_is_in_doubt() {
        let (lost, internal) = ("Network connection lost.", "internal error; reference = x1");
        for (message, address, doubtful) in [
            (lost, "http://127.0.0.1:9000/v1/chat/completions", true),
            (lost, "http://[::1]:9000/v1", true),
            (lost, "http://[::1]/v1", false),
            (lost, "https://api.example.com/v1?at=x:8080", false),
            (lost, "https://api.example.com:443/v1", false),
            (lost, "http://example.com", false),
            (internal, "https://no.such.host.example/v1", true),
            ("something else", "http://127.0.0.1:9000/v1", false),
        ] {
            assert_eq!(is_doubtful(message, address), doubtful, "{message} {address}");
        }
        assert_eq!(of_binding_error("3040: Capacity temporarily exceeded"), Ending::Refused);
        assert_eq!(of_binding_error(lost), Ending::Silent);
    }
}
