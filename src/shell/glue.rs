//! The crossings between Rust and the platform that are worth a function of their own.
//!
//! Each does in one crossing what would take the platform's bindings many; `glue.js` has the other
//! side. A call that can fail on the platform's side gives its error back.

use js_sys::{Array, Promise, Uint8Array};
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

#[wasm_bindgen(module = "/src/shell/glue.js")]
extern "C" {
    /// Method, address and the headers that matter, as lines.
    pub(crate) fn head(request: &web_sys::Request) -> String;

    /// The body, or null if it has more than `max` bytes.
    #[wasm_bindgen(catch)]
    pub(crate) async fn body(request: &web_sys::Request, max: u32) -> Result<JsValue, JsValue>;

    /// An answer; `headers` are lines that alternate names and values.
    pub(crate) fn answer(status: u16, headers: &str, content: &JsValue) -> web_sys::Response;

    /// Calls `method` of the object `name` with a text; what it answers.
    #[wasm_bindgen(catch, js_name = callObject)]
    pub(crate) async fn call_object(
        namespace: &JsValue,
        name: &str,
        method: &str,
        text: &str,
        ms: u32,
    ) -> Result<JsValue, JsValue>;

    /// Whether an object's error is worth a new try.
    pub(crate) fn retryable(error: &JsValue) -> bool;

    /// Resolves after so many milliseconds.
    pub(crate) fn wait(ms: u32) -> Promise;

    /// The rows that a statement gives, as JSON.
    #[wasm_bindgen(catch)]
    pub(crate) fn read(storage: &JsValue, statement: &str, binds: &str) -> Result<String, JsValue>;

    /// Runs statements with their texts, all or none; how many rows that wrote.
    #[wasm_bindgen(catch)]
    pub(crate) fn write(storage: &JsValue, statements: &Array, texts: &Array) -> Result<u32, JsValue>;

    /// Calls a provider: its response as soon as the head is there.
    #[wasm_bindgen(catch, js_name = callProvider)]
    pub(crate) async fn call_provider(
        url: &str,
        headers: &str,
        content: &Uint8Array,
        ms: u32,
    ) -> Result<JsValue, JsValue>;

    /// The headers of a provider's answer that matter, as lines.
    #[wasm_bindgen(js_name = answerHead)]
    pub(crate) fn answer_head(response: &web_sys::Response) -> String;

    /// The whole body of an answer.
    #[wasm_bindgen(catch, js_name = answerBody)]
    pub(crate) async fn answer_body(response: &web_sys::Response, ms: u32) -> Result<JsValue, JsValue>;

    /// Lets go of an answer that nobody reads.
    pub(crate) fn drop(response: &web_sys::Response);

    /// Passes a stream on: the client's response, and a promise of how it ended.
    #[wasm_bindgen(js_name = relayStream)]
    pub(crate) fn relay_stream(
        response: &web_sys::Response,
        relay: super::stream::Stream,
        status: u16,
        headers: &str,
        idle_ms: u32,
    ) -> Array;
}
