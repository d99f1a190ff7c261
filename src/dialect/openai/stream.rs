//! A streamed answer to a chat: read from a provider as events, and written from events for a client.

mod reader;
mod writer;

pub use reader::Reader;
pub use writer::Writer;

#[cfg(test)]
mod tests;
