//! What a target tells of a call after its time was over.

use super::AnsweredBy;
use crate::rows::End;
use serde::{Deserialize, Serialize};

/// What a target tells of a call after its time was over: it counts in place of its estimate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Late {
    /// The target, as [`silent`](super::Settlement::silent) names it.
    pub target: String,
    /// Its bill: nothing, where it tells that it did nothing.
    pub end: End,
    /// What the object is to price that by, as [`answered_by`](super::Settlement::answered_by) of an answer in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<AnsweredBy>,
    /// It told of more than the call can have used.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bounded: bool,
}
