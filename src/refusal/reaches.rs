//! What is refused of a request because it reaches further than its own words.

use super::Refusal;
use crate::reach::{Barrier, NAMED_MAX, Named, What, why};

impl Refusal {
    /// A request that reaches what is not for it.
    pub(super) fn reaches(barrier: &Barrier) -> Self {
        match barrier {
            Barrier::Named(Named { what: What::Kept, field, id }) => Self::not_kept(field, id),
            Barrier::Named(Named { what: What::Model, field, .. }) => {
                let why = why(field).unwrap_or("lets the provider answer with another model");
                let remedy = "Leave it out and name the model to call as `model`; what stands in for it where it fails is for \
                              your operator to say, in the catalog's targets";
                Self::not_sent(field, why, remedy)
            }
            Barrier::Named(Named { what: What::Later, field, .. }) => {
                let why = why(field).unwrap_or("has the provider work on behind its answer");
                let remedy =
                    "Nobody would see what that costs. Leave it out and wait for the answer, which can be streamed";
                Self::not_sent(field, why, remedy)
            }
            Barrier::Unbounded(field) => Self::not_sent(
                field,
                "asks for something whose cost has no bound, and the policy of this key refuses that",
                "Leave it out, or have your operator set the policy's \"unbounded\" to \"reserve\"",
            ),
            Barrier::Crowded => {
                let message = format!(
                    "The request names more than {NAMED_MAX} things that are kept at a provider, or one by an id of more than 500 \
                     bytes. Send what they hold, or fewer."
                );
                Self::new(400, "invalid_request_error", Some("unsupported_parameter"), message)
            }
        }
    }

    fn not_sent(field: &str, why: &str, remedy: &str) -> Self {
        let message = format!("`{field}` cannot be passed on: it {why}. {remedy}.");
        let refusal = Self::new(400, "invalid_request_error", Some("unsupported_parameter"), message);
        Self { param: Some(field.to_owned()), ..refusal }
    }

    /// Something kept at a provider that is not known to be the tenant's own; without an `id`: all that is kept there.
    fn not_kept(field: &str, id: &str) -> Self {
        let own = "Where the provider's account is no other tenant's, your operator marks it with \"shared\": false in the catalog";
        if id.is_empty() {
            let message = format!(
                "{field} tells of what is kept at the provider for every tenant of this gateway, or governs it. Name a thing of \
                 your own by its id. {own}."
            );
            let refusal = Self::new(403, "permission_error", Some("passthrough_not_allowed"), message);
            return Self { param: Some("passthrough".to_owned()), ..refusal };
        }
        let message = format!(
            "`{field}` names {id:?}, and no such thing is known to be kept at the provider for this tenant. Known are the ids that \
             came in answers of this gateway. Send what it holds instead. {own}."
        );
        let code = if field == "previous_response_id" { "previous_response_not_found" } else { "not_found" };
        let refusal = Self::new(404, "invalid_request_error", Some(code), message);
        Self { param: Some(field.to_owned()), ..refusal }
    }
}
