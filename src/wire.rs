//! What the front Worker and a tenant's object say to one another.
//!
//! Both may run another version for a while: what a peer does not know it ignores, and what it
//! does not say has a default.

use crate::bound::Shape;
use crate::catalog::{Auth, Place};
use crate::chat::Features;
use crate::dialect::{CapField, Dialect};
use crate::gauge::Gauges;
use crate::health::Outcome;
use crate::idempotency::{Following, Idempotency, Name};
use crate::key::{KeyId, SecretHash};
use crate::limits::Block;
use crate::policy::Disconnect;
use crate::price::{Bill, Price};
use crate::reach::{Barrier, Reach};
use crate::rows::{CallKey, End};
use crate::units::{Millis, Tokens};
use serde::{Deserialize, Serialize};
use serde_json::Value;

mod answered_by;
mod configure;
mod credit;
mod late;
mod metrics;

pub use answered_by::AnsweredBy;
pub use configure::{CatalogUpdate, Configure, KeyUpdate, Room, TenantUpdate};
pub use credit::{CallsAsk, CallsSeen, Credit, Credited};
pub use late::Late;
pub use metrics::Metrics;

/// The answer to a message that settles and admits.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The call may go out.
    Admitted(Admission),
    /// It may not; nothing was counted.
    Denied(Denial),
    /// A call of the same name and body leads: it is to be followed.
    Follow(Following),
    /// A native call may not go out; nothing was counted. Its provider's clients read this dialect.
    Barred {
        /// Why.
        denial: Denial,
        /// What they read.
        dialect: Dialect,
    },
    /// There was no call: the settlements are written.
    Settled,
}

/// A call that asks to be admitted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ask {
    /// The call's name: asking twice under one name admits once.
    pub call: String,
    /// Who asks.
    pub key: KeyId,
    /// What proves it.
    pub hash: SecretHash,
    /// The model, as the client names it.
    pub model: String,
    /// What it calls: `chat`, `completions` or `embeddings`.
    #[serde(default)]
    pub endpoint: String,
    /// What the request is made of: the bound of its input.
    pub shape: Shape,
    /// Whether the call can have output: embeddings cannot.
    pub output: bool,
    /// Whether the call costs nothing: it only counts tokens.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub free: bool,
    /// The client's output cap for each answer.
    #[serde(default)]
    pub output_cap: Option<Tokens>,
    /// How many answers it asks for.
    pub choices: u64,
    /// Its name, if it may be sent again without being made again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency: Option<Idempotency>,
    /// What is passed on as it is, where the call is a native one: then it has no model and no shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<Through>,
    /// What it reaches besides its own words.
    #[serde(default, skip_serializing_if = "Reach::is_empty")]
    pub reach: Reach,
    /// The page that calls, where a browser says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

/// A native call: what is asked of a provider in its own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Through {
    /// The provider; `None`: the catalog's own choice.
    #[serde(default)]
    pub provider: Option<String>,
    /// The path there, as the client writes it.
    pub path: String,
    /// The method.
    #[serde(default)]
    pub method: String,
}

impl Ask {
    /// The most output that no cap holds back, for all its answers together.
    pub const fn uncapped_output(&self) -> Tokens {
        if self.output { self.shape.uncapped_output().times(self.choices) } else { Tokens::ZERO }
    }
}

/// A call that may go out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// Its place in the ledger; its settlement names it.
    pub at: CallKey,
    /// Where it goes, in order.
    pub hops: Vec<Hop>,
    /// The output cap that the request must carry for each answer; `None`: no limit asks for one.
    #[serde(default)]
    pub output_cap: Option<Tokens>,
    /// What a target cannot do is left out of its request, by name, instead of refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drop_unsupported: bool,
    /// The most that the model answers, where that is known: some dialects must be told a cap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output: Option<Tokens>,
    /// What its input is reckoned at where nobody reports it.
    pub input_estimate: Tokens,
    /// The most that its input can be, by what was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_max: Option<Tokens>,
    /// The most that its model reads, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Tokens>,
    /// What becomes of a stream whose client leaves.
    #[serde(default)]
    pub on_disconnect: Disconnect,
    /// How long the call keeps what it holds while nothing is heard of it.
    #[serde(default)]
    pub lease: Millis,
    /// How the limits stand, for the answer's headers.
    #[serde(default)]
    pub gauges: Gauges,
}

/// One target of a call, with all that is needed to call it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// `provider/model`.
    pub target: String,
    /// The model's name at the provider.
    pub model: String,
    /// Where the provider is; by its name from when all had an address.
    #[serde(rename = "base_url")]
    pub place: Place,
    /// What the provider speaks: a call of one of these goes out as it is, any other in the first.
    #[serde(default = "openai", skip_serializing_if = "is_openai")]
    pub dialects: Vec<Dialect>,
    /// What the address ends with.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub query: String,
    /// What the request has besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// The name of the secret to be shown.
    #[serde(default)]
    pub secret: Option<String>,
    /// How it is shown.
    #[serde(default, skip_serializing_if = "Auth::is_bearer")]
    pub auth: Auth,
    /// What the target cannot do, besides what its dialect cannot say.
    #[serde(default, skip_serializing_if = "features_none")]
    pub lacks: Features,
    /// What its provider refuses of what its dialect can say.
    #[serde(default, skip_serializing_if = "features_none")]
    pub refuses: Features,
    /// Whether other tenants are served by the same account there: what it keeps is remembered then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
    /// The field that carries an output cap.
    pub cap_field: CapField,
    /// How long a whole answer may take, and the head of a stream.
    pub timeout: Millis,
    /// How long a stream may be silent before its answer begins, where that is not the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_event_timeout: Option<Millis>,
    /// What its tokens cost.
    pub price: Price,
    /// Where that is written: `catalog:3`.
    #[serde(default)]
    pub priced_by: String,
}

/// What providers spoke before a hop said so.
fn openai() -> Vec<Dialect> {
    vec![Dialect::OpenAi]
}

fn features_none(features: &Features) -> bool {
    features.is_empty()
}

fn is_openai(dialects: &[Dialect]) -> bool {
    dialects == [Dialect::OpenAi]
}

/// Why a call may not go out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Denial {
    /// The key is not one of this tenant's, or its secret is wrong.
    KeyUnknown,
    /// The key was revoked.
    KeyRevoked,
    /// The key's time is over.
    KeyExpired,
    /// The tenant was disabled.
    TenantDisabled,
    /// The page that calls is not one that this key may be used by.
    OriginNotAllowed(String),
    /// No such model in the catalog, or none that this key may call; which one is not told.
    ModelUnknown,
    /// A limit on money covers the call, and a target of its model has no price.
    PriceUnknown {
        /// The `provider/model` to be priced.
        target: String,
        /// The policy asks for the catalog's default price, and it has none.
        #[serde(default)]
        no_default: bool,
    },
    /// Limits stand in its way.
    Limited {
        /// All of them.
        blocks: Vec<Block>,
        /// The output that would have been admitted, where that is the remedy.
        #[serde(default)]
        affordable: Option<Tokens>,
        /// The output that was asked for.
        #[serde(default)]
        asked: Option<Tokens>,
        /// How all limits stand that cover the call, for the answer's headers.
        #[serde(default)]
        gauges: Gauges,
    },
    /// There is no such provider; `None`: none that calls go to which name none.
    ProviderUnknown(Option<String>),
    /// The provider wants calls signed, and one that is passed on as it comes cannot be.
    ProviderSigns(String),
    /// A native call to a provider that has no address, but is behind a binding.
    ProviderBound(String),
    /// The key may not pass this on.
    NotPassed {
        /// The field of its policy that would let it.
        field: String,
        /// What that field would have to name.
        name: String,
    },
    /// It reaches further than its own words.
    Reaches(Barrier),
    /// The key, or its tenant, has looked at itself too often.
    LooksLimited {
        /// How long until it may look again.
        wait: Millis,
    },
    /// A call of this name has already ended.
    CallEnded,
    /// Its `Idempotency-Key` belongs to another request.
    NameTaken,
    /// A call with its `Idempotency-Key` was billed, and its answer could not be kept.
    AnswerNotKept,
}

/// What a call under way has used so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amend {
    /// The call's place in the ledger.
    pub at: CallKey,
    /// The call's name.
    pub call: String,
    /// The `provider/model` that answers it.
    #[serde(default)]
    pub target: String,
    /// The output counted so far, of all answers together.
    pub output: Tokens,
    /// The usage that the provider has reported on the way.
    #[serde(default)]
    pub usage: Option<Bill>,
    /// It cannot be stopped: its output stays held, whatever budgets carry.
    #[serde(default)]
    pub fixed: bool,
}

/// How far a call under way may go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amended {
    /// The output, counted, at which it is to be stopped; `None`: it may run on.
    #[serde(default)]
    pub stop_at: Option<Tokens>,
    /// It has ended already, by its lease or otherwise, and is to be stopped at once.
    #[serde(default)]
    pub ended: bool,
}

/// The end of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// The call's place in the ledger; `None` if its admission was never heard of.
    #[serde(default)]
    pub at: Option<CallKey>,
    /// The call's name.
    pub call: String,
    /// How it ended.
    pub end: End,
    /// What became of each attempt: `provider/model` and its outcome.
    #[serde(default)]
    pub attempts: Vec<(String, Outcome)>,
    /// The name that it led.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// What the object is to price the call by, where its answer is not the standard service's, or it is a native one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<AnsweredBy>,
    /// The targets that were sent the request and fell silent: what each used is estimated, besides what `end` tells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silent: Vec<String>,
    /// What some of these have told since. An object of the release before estimates them all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub late: Vec<Late>,
    /// It was said before, with less of `late`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// The answer broke off before its usage was told: what `end` tells is the least that it used.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// The ids of what its provider has kept of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
    /// The provider works on behind the answer: the call keeps what it holds until its end is heard of.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub goes_on: bool,
    /// What the answer tells of work that went on behind another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Heard>,
    /// Its provider told of more than the call can have used: `end` tells the most that it can.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bounded: bool,
}

/// What a look at something tells of the work that made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// Its id.
    pub id: String,
    /// What it is billed, once it has ended; nothing while it goes on.
    #[serde(default)]
    pub bill: Option<Bill>,
    /// The bill is the most that it can have used: its provider told of more.
    #[serde(default)]
    pub bounded: bool,
}

/// A caller that asks to see something of its tenant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Look {
    /// Who asks.
    pub key: KeyId,
    /// What proves it.
    pub hash: SecretHash,
    /// The page that asks, where a browser says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

/// The answer to a [`Look`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// What was asked for, and how the limits stand, for the answer's headers.
    Shown {
        /// What was asked for.
        document: Value,
        /// How the limits of the key stand.
        #[serde(default)]
        gauges: Gauges,
    },
    /// It may not be shown.
    Denied(Denial),
}
