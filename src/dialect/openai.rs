//! The OpenAI wire format at the gateway's edge: requests in, answers and errors out.
//!
//! [`envelope`] reads a request and [`splice`] changes it for the provider; [`usage`] and [`chunk`]
//! read what came back; [`mod@write`] has the bodies the gateway makes itself.

pub mod envelope;
pub mod splice;
pub mod usage;
pub mod chunk;
pub mod write;

pub(crate) mod skim;
