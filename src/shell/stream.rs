//! A streamed answer on its way through: the part of the relay that JavaScript calls.

use crate::relay::{End, Metered, Relay, Relayed};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::wasm_bindgen;

/// One stream's relay, shared by the pump that feeds it and the call that bills it.
#[wasm_bindgen]
#[derive(Clone)]
pub struct Stream(Rc<RefCell<Relay>>);

impl Stream {
    pub(super) fn new(show_usage: bool) -> Self {
        Self(Rc::new(RefCell::new(Relay::new(show_usage))))
    }

    pub(super) fn metered(&self) -> Metered {
        self.0.borrow().metered()
    }
}

#[wasm_bindgen]
impl Stream {
    /// Takes the provider's next chunk; the bytes to send on in its place, or nothing for the chunk itself.
    pub fn push(&self, chunk: &[u8]) -> Option<Vec<u8>> {
        match self.0.borrow_mut().push(chunk) {
            Relayed::Same => None,
            Relayed::Bytes(bytes) | Relayed::Failed(bytes) => Some(bytes),
        }
    }

    /// Whether nothing that still comes matters.
    pub fn over(&self) -> bool {
        self.0.borrow().is_over()
    }

    /// Ends the stream; the last bytes for the client.
    pub fn finish(&self, cut: bool) -> Vec<u8> {
        self.0.borrow_mut().finish(if cut { End::Cut } else { End::Whole })
    }
}
