//! A request for an answer: read from a client, and written for a provider.

use super::camel::camelled;
use super::content::{self, Calls, elements};
use super::{config, tool};
use crate::chat::{Feature, Request, Used};
use crate::dialect::BadRequest;
use crate::dialect::members::{Members, Path};
use serde_json::{Map, Value};

/// What the answer does not depend on and no other dialect has.
const HINTS: [&str; 2] = ["labels", "store"];

/// Reads the request `body`, and what it uses, by the paths of its fields in camelCase.
///
/// `model` is empty and `stream` false: both stand in the URL. A request that is to be counted may stand in
/// `generateContentRequest`.
///
/// # Errors
/// [`BadRequest`] for the first field that is of the wrong type, or missing.
pub fn read(body: &Value) -> Result<(Request, Used), BadRequest> {
    let body = camelled(body)?;
    let (mut request, mut used) = (Request { choices: 1, ..Request::default() }, Used::default());
    let mut members = Members::of(&body, &Path::ROOT)?;
    let inner_at = Path::ROOT.key("generateContentRequest");
    if let Some(inner) = members.take("generateContentRequest") {
        read_members(Members::of(inner, &inner_at)?, &mut request, &mut used)?;
        members.leave(&[], &mut used);
    } else {
        read_members(members, &mut request, &mut used)?;
    }
    Ok((request, used))
}

/// Writes `request`, without its model and without whether it is a stream.
pub fn write(request: &Request) -> Value {
    let mut body = Map::new();
    content::write(request, &mut body);
    tool::write(request, &mut body);
    config::write(request, &mut body);
    body.into()
}

fn read_members(mut members: Members<'_, '_>, request: &mut Request, used: &mut Used) -> Result<(), BadRequest> {
    let at = members.path();
    // It says again what the URL says.
    members.text("model")?;
    if let Some(system) = members.take("systemInstruction") {
        content::read_system(system, &at.key("systemInstruction"), request, used)?;
    }
    if members.take("contents").is_none() {
        return Err(members.missing("contents", "give what was said so far"));
    }
    let (mut calls, contents_at) = (Calls::default(), at.key("contents"));
    for (index, said) in elements(&mut members, "contents")?.iter().enumerate() {
        content::read(said, &contents_at.index(index), (&mut *request, &mut calls), used)?;
    }
    tool::read(&mut members, request, used)?;
    if let Some(config) = members.take("generationConfig") {
        config::read(config, &at.key("generationConfig"), request, used)?;
    }
    if let Some(tier) = members.text("serviceTier")? {
        let is_hint = ["standard", "unspecified"].iter().any(|usual| tier.eq_ignore_ascii_case(usual));
        members.note(if is_hint { Feature::Hint } else { Feature::Foreign }, "serviceTier", used);
    }
    members.leave(&HINTS, used);
    Ok(())
}

#[cfg(test)]
mod tests;
