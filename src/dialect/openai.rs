//! OpenAI's older wire format: chat completions, completions, embeddings.
//!
//! [`envelope`] reads a request, [`shape`] what bounds its price, and [`splice`] changes it for the
//! provider; [`usage`] and [`chunk`] read what came back; [`ending`] and [`mod@write`] have what the
//! gateway says itself.

pub mod envelope;
pub mod shape;
pub mod splice;
pub mod usage;
pub mod chunk;
pub mod count;
pub mod ending;
pub mod write;
