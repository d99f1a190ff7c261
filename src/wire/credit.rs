//! What an administrator's call asks of a tenant's ledger: its calls, and a credit for one of them.

use crate::key::KeyId;
use crate::rows::{CallKey, Truth};
use crate::units::NanoUsd;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Which calls are to be listed, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallsAsk {
    /// Only those whose bill rests on one of these; empty: all.
    #[serde(default)]
    pub truths: Vec<Truth>,
    /// How many at most.
    pub limit: u64,
    /// Only those before this place.
    #[serde(default)]
    pub before: Option<CallKey>,
}

/// A part of the ledger, read backwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallsSeen {
    /// The calls, as an operator is shown them.
    pub calls: Vec<Value>,
    /// The place before which there may be more; `None`: the ledger was read to its beginning.
    #[serde(default)]
    pub further: Option<CallKey>,
}

/// A credit that is to be given for a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    /// The credit's own name: said twice it is given once.
    pub id: String,
    /// The call's name.
    pub call: String,
    /// Its place; `None`: that is to be found.
    #[serde(default)]
    pub place: Option<CallKey>,
    /// Where its place is not known: the calls from here on were looked at already.
    #[serde(default)]
    pub before: Option<CallKey>,
    /// By how much its bill is lowered; `None`: by all of it.
    #[serde(default)]
    pub amount: Option<NanoUsd>,
    /// Whether it is only asked what would come of it.
    #[serde(default)]
    pub check: bool,
}

/// What came of a credit. But for the first nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credited {
    /// It is given, or would be.
    Given {
        /// The call's place.
        place: CallKey,
        /// The key that made the call.
        key: KeyId,
        /// By how much the bill is lowered.
        amount: NanoUsd,
        /// What the call costs then.
        billed: NanoUsd,
    },
    /// There is no such call.
    Unknown,
    /// No such call was found so far; those before this place are not looked at yet.
    Further(CallKey),
    /// The call is under way: it has no bill yet.
    UnderWay,
    /// The call was billed less.
    TooMuch {
        /// So much.
        billed: NanoUsd,
    },
    /// The call has had its credit.
    Before {
        /// What it costs since.
        billed: NanoUsd,
    },
}
