//! A limit's higher maximum for a time: it ends by itself, and nothing is counted anew.

use super::{Limit, What, read_amount};
use crate::fields::{Field, Invalid};
use crate::units::{Amount, Millis};
use serde_json::{Value, json};

/// A higher maximum, and the instant at which it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Increase {
    /// The most that may be settled and held together while it lasts.
    pub max: Amount,
    /// The first instant at which the limit's own maximum holds again.
    pub until: Millis,
}

impl Increase {
    /// Reads what raises a limit on `what` above its own `max`.
    pub(super) fn read(field: &Field<'_>, what: What, max: Amount) -> Result<Self, Invalid> {
        let mut fields = field.fields()?;
        let raised = fields.required("max")?;
        let until = fields.required("until")?.instant()?;
        fields.finish()?;
        let increase = Self { max: read_amount(&raised, what)?, until };
        if increase.max > max {
            return Ok(increase);
        }
        let own = what.document(max);
        Err(raised.invalid(format!("must be above the limit's own \"max\", which is {own}; got {}", raised.value())))
    }

    /// The document that it is read from.
    pub(super) fn document(&self, what: What) -> Value {
        json!({"max": what.document(self.max), "until": self.until.to_rfc3339()})
    }
}

impl Limit {
    /// The increase that is under way at `now`.
    pub fn increase_at(&self, now: Millis) -> Option<&Increase> {
        self.increase.as_ref().filter(|increase| now < increase.until)
    }

    /// The most that it allows at `now`.
    pub fn max_at(&self, now: Millis) -> Amount {
        self.increase_at(now).map_or(self.max, |increase| increase.max)
    }
}

#[cfg(test)]
mod tests {
    use crate::fields::Field;
    use crate::policy::{Per, Policy};
    use crate::units::{Amount, Millis};
    use serde_json::{Value, json};

    fn read(limit: Value) -> Result<Policy, String> {
        let document = json!({"limits": [limit]});
        Policy::read(&Field::root("policy", &document), Per::Tenant).map_err(|invalid| invalid.to_string())
    }

    fn raised(increase: &Value) -> Result<Policy, String> {
        read(json!({"what": "cost", "window": "month", "max": "25", "increase": increase}))
    }

    #[test]
    fn an_increase_holds_up_to_its_end_and_is_written_as_it_was_read() {
        let policy = raised(&json!({"max": "50.00", "until": "2026-12-01T01:00:00+01:00"})).unwrap();
        let limit = &policy.limits[0];
        let end = 1_796_083_200_000;
        for (now, max) in [(end - 1, 50_000_000_000), (end, 25_000_000_000), (end + 1, 25_000_000_000)] {
            assert_eq!(limit.max_at(Millis::new(now)), Amount::new(max), "{now}");
        }
        let document = limit.document();
        assert_eq!(document["increase"], json!({"max": "50", "until": "2026-12-01T00:00:00.000Z"}));
        assert_eq!(document["max"], "25");
        assert_eq!(read(document), Ok(policy));
    }

    #[test]
    fn what_is_wrong_with_an_increase_is_named() {
        let end = "2026-12-01T00:00:00Z";
        for (increase, problem) in [
            (json!("50"), "policy.limits[0].increase: must be an object; got \"50\""),
            (json!({"max": "50"}), "policy.limits[0].increase.until: is missing"),
            (json!({"until": end}), "policy.limits[0].increase.max: is missing"),
            (json!({"max": "50", "until": end, "from": end}), "policy.limits[0].increase.from: is not a field here"),
            (
                json!({"max": "50", "until": "2026-12-01"}),
                "policy.limits[0].increase.until: must be an instant with its offset such as \"2030-01-31T00:00:00Z\"; \
                 got \"2026-12-01\"",
            ),
            (json!({"max": "50", "until": 1_796_083_200}), "policy.limits[0].increase.until: must be an instant"),
            (
                json!({"max": "25.00", "until": end}),
                "policy.limits[0].increase.max: must be above the limit's own \"max\", which is \"25\"; got \"25.00\"",
            ),
            (json!({"max": 0.5, "until": end}), "policy.limits[0].increase.max: must be US dollars"),
        ] {
            let got = raised(&increase).unwrap_err();
            assert!(got.contains(problem), "{increase}: {got}");
        }
        let requests = json!({"what": "requests", "window": "60s", "max": 5, "increase": {"max": "9", "until": end}});
        assert!(read(requests).unwrap_err().contains("increase.max: must be a whole number"));
    }
}
