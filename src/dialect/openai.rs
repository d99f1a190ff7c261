//! The OpenAI wire format at the gateway's edge: requests in, answers and errors out.
//!
//! [`envelope`] reads a request, [`shape`] what bounds its price, and [`splice`] changes it for the
//! provider; [`usage`] and [`chunk`] read what came back, [`reckon`] says what that comes to;
//! [`ending`] and [`mod@write`] have what the gateway says itself.

pub mod envelope;
pub mod shape;
pub mod splice;
pub mod usage;
pub mod chunk;
pub mod reckon;
pub mod ending;
pub mod write;

mod names;
pub(crate) mod skim;
