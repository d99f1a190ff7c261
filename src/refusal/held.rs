//! What is refused because of how many bytes the gateway would hold, or how long it would wait for them.

use super::Refusal;
use crate::units::Millis;

/// When there may be room again.
const ROOM_AFTER: Millis = Millis::from_secs(2);

impl Refusal {
    /// The gateway holds all the bytes that it can for other calls; this one was not made.
    pub fn overloaded() -> Self {
        let message =
            "The gateway holds as many bytes of other calls as it can just now, so this call was not made. Try again.";
        let refusal = Self::new(503, "service_unavailable_error", Some("gateway_overloaded"), message);
        Self { retry: Some(true), retry_after: Some(ROOM_AFTER), ..refusal }
    }

    /// A provider answered, and there was no room for that.
    pub fn no_room_for_answer() -> Self {
        let message = "The provider answered, but the gateway holds as many bytes of other calls as it can just now, and had no \
                       room for the answer. The call is billed.";
        Self { retry: None, ..Self::new(503, "service_unavailable_error", Some("gateway_overloaded"), message) }
    }

    /// A provider's answer that must be whole to be understood, and has more than `bytes_max`.
    pub fn answer_too_large(bytes_max: u32) -> Self {
        let message = format!(
            "The provider's answer has more than {bytes_max} bytes, which is more than can be translated. The call is billed. Ask \
             for less, or name a model whose provider speaks as you do."
        );
        Self::new(502, "server_error", Some("upstream_answer_too_large"), message)
    }

    /// A body that takes too long to come.
    pub fn slow_body() -> Self {
        let message = "The body did not come in time. Send it without a pause, or send files by their address.";
        let refusal = Self::new(408, "invalid_request_error", Some("request_timeout"), message);
        Self { retry: Some(true), ..refusal }
    }
}
