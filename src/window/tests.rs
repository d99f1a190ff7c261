//! Windows against brute force, and the calendar's edges.

use super::*;
use proptest::prelude::*;

fn at(text: &str) -> Millis {
    let instant = DateTime::parse_from_rfc3339(text).unwrap();
    Millis::new(u64::try_from(instant.timestamp_millis()).unwrap())
}

#[test]
fn windows_are_read_and_named() {
    for (text, window) in [
        ("1s", Some("1s")),
        ("60s", Some("60s")),
        ("5m", Some("300s")),
        ("1h", Some("3600s")),
        ("month", Some("month")),
        ("lifetime", Some("lifetime")),
        ("0s", None),
        ("2h", None),
        ("60", None),
        ("s", None),
        ("-1s", None),
        ("+1s", None),
        ("1é", None),
        ("", None),
        ("99999999999999999999s", None),
    ] {
        assert_eq!(Window::parse(text).map(Window::name).as_deref(), window, "{text}");
    }
}

#[test]
fn periods_start_and_end_in_utc() {
    let now = at("2026-11-22T16:44:21.500Z");
    for (period, start, end) in [
        (Period::Hour, "2026-11-22T16:00:00Z", "2026-11-22T17:00:00Z"),
        (Period::Day, "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"),
        (Period::Week, "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"),
        (Period::Month, "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
    ] {
        assert_eq!((period.start(now), period.end(now)), (at(start), Some(at(end))), "{period:?}");
    }
    assert_eq!((Period::Lifetime.start(now), Period::Lifetime.end(now)), (Millis::ZERO, None));
    let december = at("2026-12-31T23:59:59.999Z");
    assert_eq!(Period::Month.end(december), Some(at("2027-01-01T00:00:00Z")));
    assert_eq!(Period::Week.start(at("1970-01-02T00:00:00Z")), Millis::ZERO);
    assert_eq!(Period::Week.end(at("1970-01-02T00:00:00Z")), Some(at("1970-01-05T00:00:00Z")));
}

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Count(u64),
    Hold(u64),
    /// Posts the oldest open hold with this amount.
    Post(u64),
    /// Corrects the newest settled call to this amount.
    Correct(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_u64..4_000).prop_map(Step::Wait),
        (0_u64..9).prop_map(Step::Count),
        (0_u64..9).prop_map(Step::Hold),
        (0_u64..9).prop_map(Step::Post),
        (0_u64..9).prop_map(Step::Correct),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_rolling_window_is_what_brute_force_counts(seconds in 1_u64..8, steps in prop::collection::vec(step(), 1..60)) {
        let span = seconds * 1_000;
        let mut now = 1_000_000_u64;
        let mut tally = Tally::new(Window::Rolling(Millis::new(span)), Amount::ZERO, Millis::new(now));
        let mut settled: Vec<(u64, u64)> = Vec::new();
        let mut open: Vec<(u64, u64)> = Vec::new();
        for step in steps {
            match step {
                Step::Wait(ms) => now += ms,
                Step::Count(amount) => {
                    tally.correct(Millis::new(now), Amount::ZERO, Amount::new(amount));
                    settled.push((now, amount));
                }
                Step::Hold(amount) => {
                    tally.hold(Millis::new(now), Amount::new(amount));
                    open.push((now, amount));
                }
                Step::Post(actual) => if !open.is_empty() {
                    let (at, held) = open.remove(0);
                    tally.post(Millis::new(at), Amount::new(held), Amount::new(actual));
                    settled.push((at, actual));
                },
                Step::Correct(amount) => if let Some((at, before)) = settled.pop() {
                    tally.correct(Millis::new(at), Amount::new(before), Amount::new(amount));
                    settled.push((at, amount));
                },
            }
            tally.advance(Millis::new(now));
            let inside: u64 = settled.iter().filter(|(at, _)| at + span > now).map(|(_, amount)| amount).sum();
            let held: u64 = open.iter().map(|(_, amount)| amount).sum();
            prop_assert_eq!(tally.settled().get(), inside);
            prop_assert_eq!(tally.held().get(), held);
            // What frees is freed at the promised instant, and at no earlier one.
            if let Some(frees) = tally.frees_at(Millis::new(now), Amount::new(1)).filter(|_| inside > 0) {
                let left = |then: u64| settled.iter().filter(|(at, _)| at + span > then).map(|(_, amount)| amount).sum::<u64>();
                prop_assert!(left(frees.get()) < inside && left(frees.get() - 1) == inside);
            }
        }
    }

    #[test]
    fn a_coarse_window_never_forgets_early(ats in prop::collection::vec(0_u64..5_000_000, 1..50), now in 0_u64..9_000_000) {
        let mut tally = Tally::new(Window::Rolling(ROLLING_MAX), Amount::ZERO, Millis::ZERO);
        for at in &ats {
            tally.correct(Millis::new(*at), Amount::ZERO, Amount::new(1));
        }
        tally.advance(Millis::new(now));
        let span = ROLLING_MAX.get();
        let exact = ats.iter().filter(|at| *at + span > now).count() as u64;
        let latest = ats.iter().filter(|at| *at + span + 60 > now).count() as u64;
        prop_assert!((exact..=latest).contains(&tally.settled().get()));
    }

    #[test]
    fn a_calendar_window_counts_its_own_period(hours in prop::collection::vec((0_u64..4, 0_u64..9), 1..40)) {
        let mut tally = Tally::new(Window::Calendar(Period::Hour), Amount::new(100), Millis::ZERO);
        let mut all: Vec<(u64, u64)> = Vec::new();
        let mut now = 0;
        for (step, amount) in hours {
            now += step * 1_200_000;
            tally.advance(Millis::new(now));
            tally.hold(Millis::new(now), Amount::new(amount));
            tally.post(Millis::new(now), Amount::new(amount), Amount::new(amount));
            all.push((now, amount));
            let inside: u64 = all.iter().filter(|(at, _)| at / 3_600_000 == now / 3_600_000).map(|(_, amount)| amount).sum();
            prop_assert_eq!((tally.settled().get(), tally.held().get()), (inside, 0));
        }
    }
}

/// Each row: the hour, what the window has to repay, whatever was asked of it before.
#[test]
fn a_debt_is_repaid_by_the_windows_that_follow() {
    let hour = |hours: u64| Millis::from_secs(hours * 3_600);
    let mut tally = Tally::new(Window::Calendar(Period::Hour), Amount::new(100), hour(5));
    assert_eq!(tally.starts(), Some((hour(5), hour(6))));
    tally.owe(hour(6), Amount::new(30));
    tally.owe(hour(6), Amount::new(220));
    for (at, due) in [(5, 0), (6, 250), (7, 150), (8, 50), (9, 0)] {
        tally.advance(hour(at));
        assert_eq!((tally.settled().get(), tally.debt().get()), (due, due), "hour {at}");
    }
    // Read back later, it has been repaid as far.
    let mut later = Tally::new(Window::Calendar(Period::Hour), Amount::new(100), hour(8));
    later.correct(hour(8), Amount::ZERO, Amount::new(7));
    later.owe(hour(6), Amount::new(250));
    assert_eq!((later.settled().get(), later.debt().get()), (57, 50));
}
