//! What a policy may choose: by one word each.

use serde::{Deserialize, Serialize};

/// What happens to a call that asks for more output than its limits have left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortfall {
    /// Its output cap is lowered to what is left.
    Fit,
    /// It is refused, and told what is left.
    Reject,
}

/// What becomes of a stream whose client has left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disconnect {
    /// The provider is stopped, and what was counted is billed.
    #[default]
    Abort,
    /// It is read on for its exact bill, as long as the platform allows.
    Drain,
}

/// What a call is billed that was sent to a provider, and of which no usage ever comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsettled {
    /// What came of it, or else what such calls mostly use.
    Estimate,
    /// What it held.
    Ceiling,
}

/// What happens to a call that a target without a price may answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownPrice {
    /// It is refused where a limit on money covers it; elsewhere it costs nothing.
    Reject,
    /// It costs the catalog's `default_price`; where there is none, it is refused as by [`UnknownPrice::Reject`].
    Default,
    /// It costs nothing, and its tokens are counted.
    TrackOnly,
}

/// What happens to a call that asks for something without a bound, such as a tool that the provider runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unbounded {
    /// It is admitted, and its model's `unbounded_reserve` is held for that.
    Reserve,
    /// It is refused by the name of the field.
    Refuse,
}

impl Unbounded {
    /// Every kind, with the name it has in documents.
    pub(super) const ALL: [(&'static str, Self); 2] = [("reserve", Self::Reserve), ("refuse", Self::Refuse)];

    pub(super) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}

impl UnknownPrice {
    /// Every kind, with the name it has in documents.
    pub(super) const ALL: [(&'static str, Self); 3] =
        [("reject", Self::Reject), ("default", Self::Default), ("track_only", Self::TrackOnly)];

    pub(super) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}
