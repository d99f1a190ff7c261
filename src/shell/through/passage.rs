//! A native call's answer on its way through: the part that JavaScript calls for each chunk.

use crate::chat::Usage;
use crate::passthrough::{Guard, Meter};
use crate::reach::Made;
use crate::secret::watch::Watch;
use std::cell::{Ref, RefCell};
use std::rc::Rc;
use wasm_bindgen::prelude::{JsError, wasm_bindgen};

/// An answer on its way through, shared by the pump that feeds it and the call that bills it.
#[wasm_bindgen]
#[derive(Clone)]
pub struct Passage(Rc<RefCell<Passing>>);

pub(in crate::shell) struct Passing {
    guard: Guard,
    pub(in crate::shell) meter: Meter,
    /// How many bytes have come.
    pub(in crate::shell) bytes: u64,
    /// What of it is to be remembered.
    made: Option<Made>,
    /// The provider works for it: it has a bill.
    works: bool,
    /// Nothing more of it passes.
    over: bool,
}

impl Passage {
    /// One for an answer of this content type, in which nothing may be that `watch` finds. `works`: the provider works for it.
    pub(in crate::shell) fn new(content_type: &str, works: bool, watch: Rc<Watch>, made: Option<Made>) -> Self {
        let guard = Guard::new(watch);
        let passing = Passing { guard, meter: Meter::new(content_type), works, bytes: 0, made, over: false };
        Self(Rc::new(RefCell::new(passing)))
    }

    /// The beginning of an answer to a look, and the usage that it tells of.
    pub(super) fn looked(&self) -> (Vec<u8>, Option<Usage>) {
        let passing = self.0.borrow();
        (passing.made.as_ref().map(|made| made.beginning().to_vec()).unwrap_or_default(), passing.meter.usage())
    }

    /// The ids of what its provider has kept.
    pub(in crate::shell) fn made(&self) -> Vec<String> {
        self.0.borrow_mut().made.as_mut().map(Made::take).unwrap_or_default()
    }

    /// What is known of it so far.
    pub(in crate::shell) fn passing(&self) -> Ref<'_, Passing> {
        self.0.borrow()
    }
}

#[wasm_bindgen]
impl Passage {
    /// Takes the provider's next chunk; the bytes to send on in its place, or nothing for the chunk itself.
    ///
    /// # Errors
    /// It quotes the provider's secret: nothing more may pass, and the client's answer breaks off.
    pub fn push(&self, chunk: &[u8]) -> Result<Option<Vec<u8>>, JsError> {
        let passing = &mut *self.0.borrow_mut();
        passing.meter.push(chunk);
        passing.bytes = passing.bytes.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        if let Some(made) = &mut passing.made {
            made.push(chunk);
        }
        passing.guard.push(chunk).map_err(|_| {
            passing.over = true;
            JsError::new("the provider put the gateway's own credentials into its answer")
        })
    }

    /// Whether it is looked at for a usage: bytes of no such kind may be many.
    pub fn understands(&self) -> bool {
        self.0.borrow().meter.understands()
    }

    /// How many bytes are held of it.
    pub fn held(&self) -> u32 {
        u32::try_from(self.0.borrow().meter.held()).unwrap_or(u32::MAX)
    }

    /// Lets go of what is held, as there is no room for it; all the same it passes on.
    pub fn let_go(&self) -> bool {
        self.0.borrow_mut().meter.let_go();
        true
    }

    /// Whether it is read on where its client leaves: its usage is still to come.
    pub fn drains(&self) -> bool {
        let passing = self.0.borrow();
        !passing.over && passing.works && passing.meter.understands()
    }

    /// Whether nothing that still comes matters.
    pub fn over(&self) -> bool {
        self.0.borrow().over
    }

    /// Ends the answer; the last bytes for the client.
    ///
    /// # Errors
    /// The provider cut it: then the client's breaks off, too.
    pub fn finish(&self, cut: bool) -> Result<Vec<u8>, JsError> {
        let passing = &mut *self.0.borrow_mut();
        if cut {
            return Err(JsError::new("the provider broke off its answer"));
        }
        passing.meter.finish();
        passing.over = true;
        Ok(passing.guard.finish())
    }
}
