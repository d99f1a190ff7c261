//! A streamed answer on its way through: the part of the relay that JavaScript calls.

use crate::dialect::openai::write::error_event;
use crate::refusal::Refusal;
use crate::relay::{End, Metered, Relay, Relayed};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use wasm_bindgen::prelude::wasm_bindgen;

/// One stream's relay, shared by the pump that feeds it and the call that bills it.
#[wasm_bindgen]
#[derive(Clone)]
pub struct Stream(Rc<Passage>);

struct Passage {
    relay: RefCell<Relay>,
    /// The secret that was sent to the provider, and must not come back.
    secret: Option<String>,
    /// Whether it did, and nothing more is passed on.
    stopped: Cell<bool>,
}

impl Stream {
    pub(super) fn new(show_usage: bool, secret: Option<String>) -> Self {
        let relay = RefCell::new(Relay::new(show_usage));
        Self(Rc::new(Passage { relay, secret, stopped: Cell::new(false) }))
    }

    pub(super) fn metered(&self) -> Metered {
        self.0.relay.borrow().metered()
    }

    /// The bytes to send on, unless they quote the secret. They are whole frames, so none can hide in a cut.
    fn checked(&self, chunk: &[u8], relayed: Option<Vec<u8>>) -> Option<Vec<u8>> {
        let bytes = relayed.as_deref().unwrap_or(chunk);
        let quotes = |secret: &String| memchr::memmem::find(bytes, secret.as_bytes()).is_some();
        if !self.0.secret.as_ref().is_some_and(quotes) {
            return relayed;
        }
        self.0.stopped.set(true);
        Some(error_event(&Refusal::provider_credentials(200).body()).into_bytes())
    }
}

#[wasm_bindgen]
impl Stream {
    /// Takes the provider's next chunk; the bytes to send on in its place, or nothing for the chunk itself.
    pub fn push(&self, chunk: &[u8]) -> Option<Vec<u8>> {
        let relayed = match self.0.relay.borrow_mut().push(chunk) {
            Relayed::Same => None,
            Relayed::Bytes(bytes) | Relayed::Failed(bytes) => Some(bytes),
        };
        self.checked(chunk, relayed)
    }

    /// Whether nothing that still comes matters.
    pub fn over(&self) -> bool {
        self.0.stopped.get() || self.0.relay.borrow().is_over()
    }

    /// Ends the stream; the last bytes for the client.
    pub fn finish(&self, cut: bool) -> Vec<u8> {
        let tail = self.0.relay.borrow_mut().finish(if cut { End::Cut } else { End::Whole });
        self.checked(&[], Some(tail)).unwrap_or_default()
    }
}
