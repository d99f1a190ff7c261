//! The crossings from Rust to the platform that are worth a function of their own.
//!
//! Each does in one crossing what would take the platform's bindings many; `glue.js` has the other
//! side. A call that can fail on the platform's side gives its error back.

use js_sys::Array;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

#[wasm_bindgen(module = "/src/shell/glue.js")]
extern "C" {
    /// The body, or null if it has more than `max` bytes.
    #[wasm_bindgen(catch)]
    pub(crate) async fn body(request: &web_sys::Request, max: u32) -> Result<JsValue, JsValue>;

    /// Calls `method` of the object `name` with a text; what it answers.
    #[wasm_bindgen(catch, js_name = callObject)]
    pub(crate) async fn call_object(
        namespace: &JsValue,
        name: &str,
        method: &str,
        text: &str,
    ) -> Result<JsValue, JsValue>;

    /// The rows that a statement gives, as JSON.
    #[wasm_bindgen(catch)]
    pub(crate) fn read(storage: &JsValue, statement: &str, binds: &str) -> Result<String, JsValue>;

    /// How many bytes the rows take.
    #[wasm_bindgen(js_name = databaseSize)]
    pub(crate) fn database_size(storage: &JsValue) -> f64;

    /// Runs statements with their texts, all or none; how many rows that wrote.
    #[wasm_bindgen(catch)]
    pub(crate) fn write(storage: &JsValue, statements: &Array, texts: &Array) -> Result<u32, JsValue>;
}
