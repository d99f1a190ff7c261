//! A call's body on its way in and out. Its order is in `body.js`; it is held once, here, from where a long one goes out in parts.

use super::call::Call;
use super::visit::Visit;
use crate::refusal::Refusal;
use crate::translate::Body;
use crate::wire::Reply;
use wasm_bindgen::prelude::{JsError, wasm_bindgen};

/// The largest request body, in bytes.
const BODY_BYTES_MAX: u32 = 16 * 1_024 * 1_024;

/// Why a body was not read; the numbers are known to `body.js`.
const TOO_LARGE: u8 = 0;
const TOO_SLOW: u8 = 1;
const NO_ROOM: u8 = 2;

impl Call {
    /// Lets go of the body once no other target can be sent it.
    pub(super) fn let_body_go(&mut self) {
        if self.upcoming().is_none() {
            self.drop_body();
        }
    }

    /// Lets go of the body: no other target is tried.
    pub(super) fn drop_body(&mut self) {
        self.body = Vec::new();
        if let Some(outgoing) = &mut self.outgoing {
            outgoing.body = Body::Written(Vec::new());
        }
    }
}

impl Visit {
    /// The call, whose request goes out now.
    fn sending(&mut self) -> Option<&Call> {
        let call = self.call.as_mut()?;
        call.sends();
        Some(call)
    }
}

#[wasm_bindgen]
impl Visit {
    /// The largest body that is taken, in bytes.
    pub fn body_max(&self) -> u32 {
        BODY_BYTES_MAX
    }

    /// Makes room for a body of so many bytes: whether there is.
    pub fn expect(&mut self, bytes: u32) -> bool {
        let Some(body) = self.call.as_mut().map(|call| &mut call.body) else { return false };
        let more = usize::try_from(bytes).unwrap_or(usize::MAX).saturating_sub(body.len());
        body.try_reserve_exact(more).is_ok()
    }

    /// Takes the body's next bytes.
    pub fn take(&mut self, chunk: &[u8]) {
        if let Some(call) = &mut self.call {
            call.body.extend_from_slice(chunk);
        }
    }

    /// All bytes of the body have come: whether it is in order.
    pub fn taken(&mut self) -> bool {
        let body = self.call.as_mut().map(|call| std::mem::take(&mut call.body));
        body.is_some_and(|body| self.read(body))
    }

    /// The body was not read: 0 it is too large, 1 too slow, 2 there is no room for it, else it broke off.
    pub fn unread(&mut self, why: u8) {
        if let Some(call) = &mut self.call {
            call.body = Vec::new();
        }
        self.refuse(&match why {
            TOO_LARGE => Refusal::too_large(BODY_BYTES_MAX),
            TOO_SLOW => Refusal::slow_body(),
            NO_ROOM => Refusal::overloaded(),
            _ => Refusal::cut_body(),
        });
    }

    /// Takes what the tenant's object says of the key, before a long body is read: whether it is good.
    ///
    /// # Errors
    /// The answer cannot be read.
    pub fn checked(&mut self, reply: &str) -> Result<bool, JsError> {
        match serde_json::from_str(reply)? {
            Reply::Denied(denial) => {
                self.refuse(&Refusal::denied(denial, ""));
                Ok(false)
            }
            _ => Ok(true),
        }
    }

    /// How many bytes of the request are held.
    pub fn held(&self) -> u32 {
        let held = |call: &Call| {
            let written = call.outgoing.as_ref().map_or(0, |outgoing| outgoing.body.held());
            call.body.capacity().saturating_add(written)
        };
        self.call.as_ref().map(held).map_or(0, |bytes| u32::try_from(bytes).unwrap_or(u32::MAX))
    }

    /// The body that the target is sent, which goes out now.
    pub fn outgoing_body(&mut self) -> Vec<u8> {
        let whole = |call: &Call| Some(call.outgoing.as_ref()?.body.whole(&call.body).into_owned());
        self.sending().and_then(whole).unwrap_or_default()
    }

    /// How many bytes the body has that goes out now in parts.
    pub fn outgoing_length(&mut self) -> u32 {
        let length = |call: &Call| Some(call.outgoing.as_ref()?.body.length(&call.body));
        self.sending().and_then(length).map_or(0, |bytes| u32::try_from(bytes).unwrap_or(u32::MAX))
    }

    /// Writes its bytes from `at` on `into` a buffer: how many were written; none at its end.
    pub fn outgoing_part(&self, at: u32, into: &js_sys::Uint8Array) -> u32 {
        let Some((call, body)) = self.call.as_ref().and_then(|call| Some((call, &call.outgoing.as_ref()?.body))) else {
            return 0;
        };
        let (room, mut written) = (into.length(), 0_u32);
        while written < room {
            let from = usize::try_from(at.saturating_add(written)).unwrap_or(usize::MAX);
            let part = body.part(&call.body, from);
            let fits = usize::try_from(room.saturating_sub(written)).unwrap_or(usize::MAX);
            let part = part.get(..fits).unwrap_or(part);
            let Some(end) = u32::try_from(part.len()).ok().filter(|bytes| *bytes > 0) else { break };
            let end = written.saturating_add(end);
            into.subarray(written, end).copy_from(part);
            written = end;
        }
        written
    }
}
