//! A streamed answer: read from a provider as events, and written from events for a client.

mod reader;
mod writer;
mod said;
mod frames;

pub use reader::Reader;
pub use writer::Writer;

#[cfg(test)]
mod tests;
