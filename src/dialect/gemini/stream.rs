//! Streams: each frame is an answer of its own, of which the parts add up. None says that it was the last.

mod reader;
mod writer;

pub use reader::Reader;
pub use writer::Writer;

#[cfg(test)]
mod tests;
