//! What an answer says of itself that its price depends on: the front reads it, the object knows the prices.

use super::Hop;
use crate::service::Service;
use crate::units::NanoUsd;
use serde::{Deserialize, Serialize};

/// What an answer says of itself that its price depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnsweredBy {
    /// The provider.
    pub provider: String,
    /// The model; empty: a native answer that does not say.
    pub model: String,
    /// What a native call's path costs each time.
    #[serde(default)]
    pub request: NanoUsd,
    /// The path of a native call.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// How it was served.
    #[serde(default, skip_serializing_if = "Service::is_untold")]
    pub service: Service,
}

impl AnsweredBy {
    /// What the object is to price a call by that `hop` answered and served so, where `asked` was asked for; `None`: the
    /// standard price, by which the front has priced it.
    pub fn of(hop: &Hop, asked: Service, told: Service) -> Option<Self> {
        let service = told.over(asked);
        let provider = hop.target.strip_suffix(&hop.model)?.strip_suffix('/')?.to_owned();
        let (model, path) = (hop.model.clone(), String::new());
        (!service.is_standard()).then_some(Self { provider, model, request: NanoUsd::ZERO, path, service })
    }

    /// What the object is to price a native call to `path` by; `None`: the price of its path, by which the front has priced it.
    pub fn of_path(hop: &Hop, path: &str, model: Option<&str>, service: Service) -> Option<Self> {
        let provider = hop.target.trim_end_matches("/*").to_owned();
        let (request, path) = (hop.price.request, path.to_owned());
        let model = model.filter(|model| !model.is_empty());
        (model.is_some() || !service.is_standard()).then(|| {
            let model = model.unwrap_or_default().to_owned();
            Self { provider, model, request, path, service }
        })
    }
}
