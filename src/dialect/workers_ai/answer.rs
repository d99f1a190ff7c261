//! A whole answer, in either form.

use super::{fault, form};
use crate::chat::{Answer, Finish, Part};
use crate::dialect::openai;
use serde_json::Value;

pub use crate::dialect::openai::answer::write;

/// Reads an answer; `None` where `body` is none.
///
/// Older models do not say why they end: those that call tools end for that, others of themselves.
pub fn read(body: &Value) -> Option<Answer> {
    if fault::is_fault(body) {
        return None;
    }
    let mut answer = openai::answer::read(&form::choices(body.clone(), "message"))?;
    for choice in &mut answer.choices {
        let calls = choice.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
        choice.finish.get_or_insert(if calls { Finish::ToolCalls } else { Finish::Stop });
    }
    Some(answer)
}
