//! What a native call reaches: by its method and path, and by its body as far as that is JSON, which goes on as it came.

use super::Through;
use crate::chat::Usage;
use crate::passthrough::Touch;
use crate::price::Bill;
use crate::reach::{self, Made};
use crate::reckon::Bounds;
use crate::refusal::Refusal;
use crate::settle;
use crate::units::Tokens;
use crate::wire::Heard;
use wasm_bindgen::prelude::{JsError, wasm_bindgen};

/// The most bytes of JSON that are held; and of what begins as JSON does and is said to be something else.
const JSON_BYTES_MAX: u32 = 16 * 1_024 * 1_024;
const OTHER_BYTES_MAX: u32 = 1_024 * 1_024;

/// What the head of a native call's request asks for.
#[derive(Default)]
pub(in crate::shell) struct Native {
    /// The provider, where the path names it.
    pub(in crate::shell) provider: Option<String>,
    pub(in crate::shell) method: String,
    /// The path at the provider, as it is written.
    pub(in crate::shell) path: String,
    /// What follows the `?`, as it goes on.
    pub(in crate::shell) query: String,
}

impl Through {
    /// What the call does with what is kept.
    pub(super) fn touch(&self) -> Touch {
        Touch::of(&self.native.method, &self.native.path)
    }

    /// What of the answer is to be looked at: of a look what it tells of work that went on behind another answer; else what is to be
    /// remembered, where the provider keeps something under an account that others share.
    pub(super) fn makes(&self) -> Option<Made> {
        if self.looks_at().is_some() {
            return Some(Made::look());
        }
        let collection = self.touch().makes.filter(|_| self.hop().is_some_and(|hop| hop.shared))?;
        Made::in_collection(&collection, &self.reach)
    }

    /// The id of the response that it looks at, or ends.
    fn looks_at(&self) -> Option<String> {
        let touch = self.touch();
        let is_response = touch.names.iter().any(|name| name.starts_with("responses/"));
        touch.names.into_iter().next().filter(|_| touch.looks && is_response)
    }

    /// What its answer, of which `made` is the beginning, tells of work that went on behind another.
    pub(super) fn heard(&self, made: &[u8], usage: Option<Usage>) -> Option<Heard> {
        let id = self.looks_at()?;
        let bounded = usage.and_then(|usage| Bounds::unread(None).bound(usage, Tokens::ZERO));
        let usage = bounded.or(usage);
        let bill = match reach::has_ended(made) {
            None if reach::goes_on(made) => None,
            None => return None,
            Some(failed) => Some(usage.map(settle::bill_of).or_else(|| failed.then(Bill::default))?),
        };
        Some(Heard { id, bill, bounded: bounded.is_some() })
    }
}

#[wasm_bindgen]
impl Through {
    /// Whether the object is to be asked again in a moment, once.
    pub fn early(&mut self) -> bool {
        self.visit.early()
    }

    /// Whether a body of this content type can be JSON to its provider, whatever it says of itself: forms and media cannot.
    pub fn opens(&self, content_type: &str) -> bool {
        let kind = content_type.trim_start().to_ascii_lowercase();
        !["multipart/", "audio/", "image/", "video/"].iter().any(|opaque| kind.starts_with(opaque))
    }

    /// Whether a body of this content type is held whose first byte that is no white space is `first`: JSON begins so, and so
    /// does text in another encoding.
    pub fn holds(&self, content_type: &str, first: u8) -> bool {
        let kind = content_type.to_ascii_lowercase();
        let is_text = kind.is_empty() || ["json", "text"].iter().any(|part| kind.contains(part));
        matches!(first, b'{' | b'[') || (is_text && matches!(first, 0 | 0xEF | 0xFE | 0xFF))
    }

    /// How many bytes are held of a body of this content type that begins as JSON does.
    pub fn body_max(&self, content_type: &str) -> u32 {
        if content_type.to_ascii_lowercase().contains("json") { JSON_BYTES_MAX } else { OTHER_BYTES_MAX }
    }

    /// What the object is asked about the key, before a long body is read.
    pub fn look_text(&self) -> String {
        self.visit.look_text()
    }

    /// Takes what it says of the key: whether it is good.
    ///
    /// # Errors
    /// The answer cannot be read.
    pub fn checked(&mut self, reply: &str) -> Result<bool, JsError> {
        self.visit.checked(reply)
    }

    /// The body was not read; `why` is as for a model's call.
    pub fn unread(&mut self, why: u8) {
        self.visit.unread(why);
    }

    /// Reads a body that begins as JSON does: whether it may go on. `whole`: no more of it comes.
    pub fn read(&mut self, body: &[u8], whole: bool) -> bool {
        let refusal = match reach::is_one(body) {
            // Providers differ in what they make of another encoding, or of a mark before the text.
            None => Refusal::not_utf8(),
            Some(false) if !whole => Refusal::json_too_large(body.len()),
            Some(_) => {
                self.reach = reach::of_json(body);
                self.sent = u64::try_from(body.len()).ok().filter(|_| whole);
                return true;
            }
        };
        self.visit.refuse(&refusal);
        false
    }
}
