//! What may happen to a tenant, step by step, and under which limits.

use proptest::prelude::*;
use serde_json::{Value, json};

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A call of this key, of so many bytes, with this output cap.
    Ask { key: bool, bytes: u64, cap: Option<u64> },
    /// The ask before, once more: its answer was lost.
    AskAgain,
    /// Settles one of the calls so far, by so many quarters of what it held: a bill may go beyond it.
    Settle { which: usize, part: u64, named: bool },
    /// The provider's word for one of the calls that are billed without it: so many quarters of what it held.
    Tell { which: usize, part: u64 },
    /// Settles one of the calls so far, of which so many targets fell silent; answered: by another, with so many quarters.
    Silence { which: usize, silent: usize, answered: Option<u64> },
    /// Reports that one of the calls so far has come to so many quarters of its output.
    Amend { which: usize, part: u64, input: Option<u64> },
    /// The operator takes so many quarters off the bill of one of the calls so far.
    Credit { which: usize, part: u64 },
    /// The operator halves what budgets allow, or takes that back.
    Edit { cut: bool },
    /// Lets time pass.
    Wait(u64),
    /// The clock jumps ahead.
    Ahead(u64),
    /// It comes back.
    Back,
    /// The object's alarm.
    Alarm,
    /// The object's memory is lost.
    Restart,
    /// The usage rows are written.
    Flush,
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (any::<bool>(), 1_u64..400, prop::option::of(1_u64..600)).prop_map(|(key, bytes, cap)| Step::Ask { key, bytes, cap }),
        1 => Just(Step::AskAgain),
        8 => (0_usize..40, prop_oneof![9 => 0_u64..=4, 1 => 5_u64..=9], any::<bool>()).prop_map(|(which, part, named)| Step::Settle { which, part, named }),
        4 => (0_usize..40, prop_oneof![3 => 0_u64..=4, 1 => 5_u64..=9]).prop_map(|(which, part)| Step::Tell { which, part }),
        3 => (0_usize..40, 1_usize..3, prop::option::of(0_u64..=7)).prop_map(|(which, silent, answered)| Step::Silence { which, silent, answered }),
        2 => (0_usize..40, 0_u64..=4, prop::option::of(1_u64..200)).prop_map(|(which, part, input)| Step::Amend { which, part, input }),
        2 => (0_usize..40, 1_u64..=5).prop_map(|(which, part)| Step::Credit { which, part }),
        1 => any::<bool>().prop_map(|cut| Step::Edit { cut }),
        4 => prop_oneof![0_u64..50, 0_u64..30_000, 0_u64..4_000_000].prop_map(Step::Wait),
        1 => prop_oneof![60_000_u64..4_000_000, 60_000_u64..200_000_000].prop_map(Step::Ahead),
        2 => Just(Step::Back),
        1 => Just(Step::Alarm),
        2 => Just(Step::Restart),
        1 => Just(Step::Flush),
    ]
}

pub(crate) fn policies(cut: bool) -> (Value, Value) {
    let dollars = |full: &'static str, half: &'static str| json!(if cut { half } else { full });
    let count = |full: u64| json!(if cut { full / 2 } else { full });
    let limit = |name: &str, what: &str, per: &str, window: &str, max: Value| json!({"name": name, "what": what, "per": per, "window": window, "max": max});
    let tenant = json!({"lease": "30s", "fit_min": 16, "limits": [
        limit("rpm", "requests", "key", "60s", json!(6)),
        limit("burst", "requests", "tenant", "1s", json!(4)),
        limit("day", "requests", "tenant", "day", json!(30)),
        limit("tpm", "tokens", "tenant", "5m", json!(2500)),
        limit("out", "output_tokens", "key", "hour", count(4000)),
        limit("hourly", "cost", "key", "hour", dollars("0.006", "0.003")),
        limit("weekly", "cost", "tenant", "week", dollars("0.02", "0.01")),
        limit("ever", "cost", "tenant", "lifetime", json!("0.05")),
        {"name": "slots", "what": "concurrency", "per": "key", "max": 3},
    ]});
    let key =
        json!({"lease": "30s", "fit_min": 16, "limits": [limit("own", "input_tokens", "key", "month", count(3600))]});
    (tenant, key)
}
