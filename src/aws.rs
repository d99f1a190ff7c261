//! What reaches Amazon: a call is signed, and a stream comes in frames of its own.

pub mod sign;
pub mod eventstream;
