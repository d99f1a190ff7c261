//! What is refused because of a request's `Idempotency-Key`.

use super::Refusal;
use crate::units::Millis;

impl Refusal {
    /// A header that is no name.
    pub fn bad_idempotency_key() -> Self {
        let message = "The header Idempotency-Key must have 1 to 255 visible ASCII characters and no spaces, bare or in \
                       double quotes, and be sent once. A random UUID is a good one.";
        Self::new(400, "invalid_request_error", Some("invalid_idempotency_key"), message)
    }

    /// A name that belongs to another request.
    pub(super) fn name_taken() -> Self {
        let message = "This Idempotency-Key was sent with another request in the last 24 hours. To repeat that request, \
                       send the very same body to the same path; for a new request, use a new Idempotency-Key.";
        Self::new(422, "invalid_request_error", Some("idempotency_key_conflict"), message)
    }

    /// A call that was made and billed, and whose answer is not there any more.
    pub fn answer_not_kept() -> Self {
        let message = "The request with this Idempotency-Key was answered and billed, but its answer is not kept: it had \
                       more than 8 MiB, or newer answers took its place. It is not made again under this key; to make \
                       it, and pay for it, once more, use a new Idempotency-Key.";
        Self::new(409, "invalid_request_error", Some("idempotency_answer_not_kept"), message)
    }

    /// The call that this one waited for came to nothing.
    pub fn leader_lost() -> Self {
        let refusal = Self::new(
            503,
            "service_unavailable_error",
            Some("idempotency_request_lost"),
            "The request with this Idempotency-Key that this one waited for was lost before its end. Send it again: it \
             is made anew.",
        );
        Self { retry: Some(true), retry_after: Some(Millis::from_secs(1)), ..refusal }
    }
}
