//! What is refused for the gateway's own set-up, and what is refused of a request's head before anybody is asked.

use super::Refusal;
use crate::secret::UnfitSecret;

impl Refusal {
    /// The deployment lacks `name`, a secret or a binding.
    pub fn not_set_up(name: &str, remedy: &str) -> Self {
        Self::set_up_wrong(&format!("{name} is missing. {remedy}"))
    }

    /// A secret that the catalog names, and that is none.
    pub fn unfit_secret(UnfitSecret { name, why }: &UnfitSecret) -> Self {
        Self::set_up_wrong(&format!("the secret {name} {why}. Set it: npx wrangler secret put {name}"))
    }

    /// A provider whose address would let a model's name choose where the request and the secret go.
    pub fn unfit_address(target: &str) -> Self {
        Self::set_up_wrong(&format!(
            "nothing can be sent to {target}, for its model's name would choose more than a part of the path. The operator puts \
             {{model}} into the path of the provider's base_url alone, and names no model \".\" or \"..\"."
        ))
    }

    /// A body that could not be read to its end.
    pub fn cut_body() -> Self {
        let message = "The body broke off before its end, or is not framed as its head says. Send it whole.";
        Self::new(400, "invalid_request_error", Some("invalid_body"), message)
    }

    /// Two different keys in one request.
    pub fn two_keys() -> Self {
        let message = "The request has two different API keys of this gateway. Send one, as \"Authorization: Bearer tg_...\", \
                       \"x-api-key\", \"api-key\" or \"x-goog-api-key\".";
        Self::new(401, "invalid_request_error", Some("invalid_api_key"), message)
    }

    /// A page that may not use the key.
    pub(super) fn origin_not_allowed(origin: &str) -> Self {
        let shown: String = origin.chars().take(128).collect();
        let message = format!(
            "This key may not be used by pages of {shown:?}. The operator allows them by a pattern in the policy's \"allowed_origins\"."
        );
        let refusal = Self::new(403, "permission_error", Some("origin_not_allowed"), message);
        Self { param: Some("allowed_origins".to_owned()), ..refusal }
    }

    fn set_up_wrong(what: &str) -> Self {
        let message = format!("This gateway is not set up: {what}");
        Self::new(503, "service_unavailable_error", Some("gateway_not_set_up"), message)
    }
}
