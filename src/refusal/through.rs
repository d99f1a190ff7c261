//! What is refused of calls that are passed on to a provider as they are.

use super::Refusal;
use crate::passthrough::{PATH_BYTES_MAX, QUERY_BYTES_MAX};

impl Refusal {
    /// A path that is not put behind a provider's address.
    pub fn bad_path() -> Self {
        let message = format!(
            "What follows the provider in the path must be a path there: 1 to {PATH_BYTES_MAX} bytes of letters, digits and \
             -._~:@+,=/ or escapes of other characters; no part of it may be empty, \".\" or \"..\", and none may hide a \"/\" or a \
             \".\" in an escape. A query may have {QUERY_BYTES_MAX} bytes."
        );
        Self::new(400, "invalid_request_error", Some("invalid_path"), message)
    }

    /// JSON that is not read as it stands.
    pub fn not_utf8() -> Self {
        let message = "The body is not UTF-8, or begins with a byte order mark; send JSON encoded as UTF-8.";
        Self::new(400, "invalid_request_error", None, message)
    }

    /// JSON of which the first `bytes` hold no whole value.
    pub fn json_too_large(bytes: usize) -> Self {
        let message = format!(
            "The body is JSON of more than {bytes} bytes, which is not passed on unread; send less, or send files by their address \
             or as multipart/form-data."
        );
        Self::new(413, "invalid_request_error", Some("request_too_large"), message)
    }

    /// A native call with an `Idempotency-Key`: its answer is not kept, so the key would promise what is not done.
    pub fn no_idempotency() -> Self {
        let message = "Calls that are passed on to a provider as they are can be repeated under no Idempotency-Key: their \
                       answers are not kept. Leave the header Idempotency-Key out.";
        Self::new(400, "invalid_request_error", Some("idempotency_key_not_supported"), message)
    }

    /// A provider that the catalog has not.
    pub(super) fn no_provider(provider: Option<&str>) -> Self {
        let message = match provider {
            Some(name) => {
                let shown: String = name.chars().take(64).collect();
                format!("There is no provider {shown:?} in the catalog. Ask your operator for its name.")
            }
            None => {
                "The catalog has no provider for this call. Name one in the header x-tollgate-provider, or have your \
                     operator set \"default_provider\"."
                    .to_owned()
            }
        };
        Self::new(404, "invalid_request_error", Some("provider_not_found"), message)
    }

    /// A provider whose calls are signed, bodies and all.
    pub(super) fn provider_signs(provider: &str) -> Self {
        let message = format!(
            "Calls of {provider} are signed, and one that is passed on as it comes cannot be. Call one of its models by the \
             gateway's own paths, such as /v1/chat/completions."
        );
        Self::new(400, "invalid_request_error", Some("passthrough_not_supported"), message)
    }

    /// A provider that is behind a binding: it runs models and has no paths.
    pub(super) fn provider_bound(provider: &str) -> Self {
        let message = format!(
            "{provider} is a binding of this gateway, which has no paths that a call could be passed on to. \
             Call one of its models by the gateway's own paths, such as /v1/chat/completions."
        );
        Self::new(400, "invalid_request_error", Some("passthrough_not_supported"), message)
    }

    /// A key whose policy does not let `name` be passed on: its `field` does not cover it.
    pub(super) fn not_passed(field: &str, name: &str) -> Self {
        let message = format!(
            "This key may not pass {name} on. The operator allows it by a pattern such as {name:?} in its policy's {field:?}. By \
             itself that covers only what leaves nothing behind at the provider: files, batches and the like belong to the \
             provider's key, which all tenants of this gateway share, so one tenant could see what is another's."
        );
        let refusal = Self::new(403, "permission_error", Some("passthrough_not_allowed"), message);
        Self { param: Some(field.to_owned()), ..refusal }
    }
}
