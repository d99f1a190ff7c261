//! Streams: a provider's frames as events, and events as a client's frames.

mod reader;
mod extent;
mod writer;

pub use reader::Reader;
pub use writer::Writer;

#[cfg(test)]
mod tests;
