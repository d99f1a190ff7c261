//! A call between two dialects: the request that a target is sent, and the answer that the client is given.
//!
//! A call whose provider speaks the client's dialect is spliced; only one that asks for what its target is known to lack is
//! read even then. What the target cannot do is refused by the path where the client said it, or, where the model's row
//! says so, left out and told. Hints, which no answer depends on, are always left out and told.

use crate::address::encoded;
use crate::chat::{Answer, Fault, Feature, Features, Request, Used};
use crate::dialect::openai::usage::read_answer;
use crate::dialect::service::of_chat_text;
use crate::dialect::skim::{VALUES_MAX, fits};
use crate::dialect::{
    BadRequest, CapField, Dialect, Edit, Endpoint, Envelope, Patches, Stamp, Writer, converse, gemini,
};
use crate::reckon::Known;
use crate::service::Service;
use crate::units::Tokens;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// What a target can do.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// What its provider speaks, the preferred first.
    pub dialects: &'a [Dialect],
    /// What it lacks besides.
    pub lacks: Features,
    /// What is not to be put into a request that is translated, though its dialect can say it.
    pub refuses: Features,
    /// What it cannot do is left out instead of refused.
    pub drop_unsupported: bool,
    /// What is changed for it.
    pub edit: Edit<'a>,
    /// The field that an OpenAI-style provider takes for its cap.
    pub cap_field: CapField,
    /// The most that the model answers, where that is known.
    pub max_output: Option<Tokens>,
}

/// A request, ready for its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// What it is written in.
    pub dialect: Dialect,
    /// Its path, after the provider's base URL.
    pub path: String,
    /// Its body.
    pub body: Body,
    /// The paths of what was left out, in the client's words.
    pub dropped: Vec<String>,
    /// The client wants vectors in base64, which its provider does not write.
    pub base64: bool,
}

/// What a request says. Of the client's own bytes, which may be many, no second copy is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The client's body with these changes.
    Patched(Patches),
    /// A body written anew.
    Written(Vec<u8>),
}

impl Body {
    /// A body that says `value`, in about so many `bytes`.
    fn written(value: &Value, bytes: usize) -> Self {
        let mut written = Vec::with_capacity(bytes.saturating_add(bytes / 16));
        // Writing to memory cannot fail.
        let _ = serde_json::to_writer(&mut written, value);
        Self::Written(written)
    }

    /// All of it, where the client's is `own`.
    pub fn whole<'a>(&'a self, own: &[u8]) -> Cow<'a, [u8]> {
        match self {
            Self::Patched(patches) => patches.apply(own).into(),
            Self::Written(bytes) => bytes.into(),
        }
    }

    /// How many bytes of it are held besides the client's.
    pub const fn held(&self) -> usize {
        match self {
            Self::Patched(_) => 0,
            Self::Written(bytes) => bytes.capacity(),
        }
    }

    /// How many bytes it has.
    pub fn length(&self, own: &[u8]) -> usize {
        match self {
            Self::Patched(patches) => patches.length(own),
            Self::Written(bytes) => bytes.len(),
        }
    }

    /// Those from the byte `at` on that stand together in memory; none at its end.
    pub fn part<'a>(&'a self, own: &'a [u8], at: usize) -> &'a [u8] {
        match self {
            Self::Patched(patches) => patches.parts(own, at).next(),
            Self::Written(bytes) => bytes.get(at..),
        }
        .unwrap_or_default()
    }
}

/// Why a target cannot be sent a request. Another may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unable {
    /// The request is not what its dialect takes.
    Bad(BadRequest),
    /// The target cannot do this, which stands at `path`.
    Lacks {
        /// What it cannot do.
        feature: Feature,
        /// Where the client asks for it.
        path: String,
    },
    /// The target has nothing like the endpoint.
    NoEndpoint,
}

fn too_many_values() -> BadRequest {
    let message = format!(
        "The body has more than {VALUES_MAX} JSON values, which is more than can be translated: send fewer, or name a model \
         whose provider speaks as you do."
    );
    BadRequest { param: None, message }
}

/// The request that `target` is sent for the client's `body`, from which `envelope` was read.
///
/// # Errors
/// Why it cannot be sent.
pub fn request(envelope: &Envelope, body: &[u8], target: &Target<'_>) -> Result<Outgoing, Unable> {
    let (own, model) = (envelope.endpoint.dialect(), target.edit.model);
    let same = target.dialects.contains(&own);
    if same && target.lacks.is_empty() {
        return Ok(spliced(envelope, body, target));
    }
    let at = |dialect: Dialect| Some((dialect, path(dialect, envelope.endpoint, model, envelope.stream)?));
    let found = if same { at(own) } else { target.dialects.iter().find_map(|dialect| at(*dialect)) };
    let (dialect, path) = found.ok_or(Unable::NoEndpoint)?;
    if !fits(body) {
        return Err(Unable::Bad(too_many_values()));
    }
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let Some(read) = envelope.endpoint.read_request(&value) else {
        return vectors(envelope, body, &value, target, (dialect, path));
    };
    let (mut request, used) = read.map_err(Unable::Bad)?;
    // What a long body says is held as seldom as can be.
    drop(value);
    if same && !used.iter().any(|(feature, _)| target.lacks.has(feature)) {
        return Ok(spliced(envelope, body, target));
    }
    let dropped = leave_out(&mut request, &used, dialect, target)?;
    request.model = model.to_owned();
    request.stream = envelope.stream;
    let cap = target.edit.output_cap.map(|cap| cap.tokens);
    request.output_cap = [cap, request.output_cap].into_iter().flatten().min();
    if dialect == Dialect::Anthropic {
        // It has no default of its own.
        request.output_cap = request.output_cap.or(target.max_output);
    }
    let mut written = dialect.write_request(&request, target.cap_field);
    drop(request);
    if envelope.endpoint.counts() {
        written = count_request(dialect, model, written);
    }
    Ok(Outgoing { dialect, path, body: Body::written(&written, body.len()), dropped, base64: false })
}

fn spliced(envelope: &Envelope, body: &[u8], target: &Target<'_>) -> Outgoing {
    let dialect = envelope.endpoint.dialect();
    let path = path(dialect, envelope.endpoint, target.edit.model, envelope.stream).unwrap_or_default();
    Outgoing {
        dialect,
        path,
        body: Body::Patched(envelope.patches(body, &target.edit)),
        dropped: Vec::new(),
        base64: false,
    }
}

/// Takes out of `request` what the target cannot do, and what was said in no word that both dialects have; the paths of that.
fn leave_out(request: &mut Request, used: &Used, dialect: Dialect, target: &Target<'_>) -> Result<Vec<String>, Unable> {
    let cannot = Features::of(dialect.cannot()).and(target.lacks).and(target.refuses);
    let cannot = cannot.with(Feature::Foreign).with(Feature::Hint);
    let mut dropped = Vec::new();
    for (feature, path) in used.iter().filter(|(feature, _)| cannot.has(*feature)) {
        if !feature.is_hint() && !target.drop_unsupported {
            return Err(Unable::Lacks { feature, path: path.to_owned() });
        }
        request.drop_feature(feature);
        dropped.push(path.to_owned());
    }
    Ok(dropped)
}

/// The path of `endpoint` at a provider that speaks `dialect`; `None`: it has nothing like it.
fn path(dialect: Dialect, endpoint: Endpoint, model: &str, stream: bool) -> Option<String> {
    use Endpoint::{Embed, EmbedBatch, Embeddings};
    let vectors = matches!(endpoint, Embeddings | Embed | EmbedBatch);
    let path = match dialect {
        Dialect::OpenAi if endpoint == Endpoint::Completions => "/completions".to_owned(),
        Dialect::OpenAi if vectors => "/embeddings".to_owned(),
        Dialect::OpenAi if !endpoint.counts() => "/chat/completions".to_owned(),
        Dialect::Responses if endpoint.counts() => "/responses/input_tokens".to_owned(),
        Dialect::Responses if !vectors => "/responses".to_owned(),
        Dialect::Anthropic if endpoint.counts() => "/messages/count_tokens".to_owned(),
        Dialect::Anthropic if !vectors => "/messages".to_owned(),
        Dialect::Gemini => format!("/models/{}{}", encoded(model), gemini_method(endpoint, stream)),
        Dialect::Converse if !vectors && !endpoint.counts() => converse::path(model, stream),
        // A binding has no paths: the model is named beside its inputs.
        Dialect::WorkersAi if !vectors && !endpoint.counts() => String::new(),
        _ => return None,
    };
    Some(path)
}

fn gemini_method(endpoint: Endpoint, stream: bool) -> &'static str {
    match endpoint {
        Endpoint::Embed => ":embedContent",
        Endpoint::Embeddings | Endpoint::EmbedBatch => ":batchEmbedContents",
        endpoint if endpoint.counts() => ":countTokens",
        _ if stream => ":streamGenerateContent?alt=sse",
        _ => ":generateContent",
    }
}

/// What is asked of a dialect that is to count the tokens of a request.
fn count_request(dialect: Dialect, model: &str, mut request: Value) -> Value {
    if let Some(fields) = request.as_object_mut() {
        if dialect == Dialect::Gemini {
            fields.insert("model".to_owned(), format!("models/{model}").into());
        }
        for name in ["max_tokens", "max_output_tokens", "stream", "temperature", "top_p", "top_k", "store"] {
            fields.shift_remove(name);
        }
    }
    // What Gemini counts whole stands in a field of its own.
    if dialect == Dialect::Gemini { json!({"generateContentRequest": request}) } else { request }
}

/// A request for vectors in another dialect.
fn vectors(
    envelope: &Envelope,
    body: &[u8],
    value: &Value,
    target: &Target<'_>,
    (dialect, path): (Dialect, String),
) -> Result<Outgoing, Unable> {
    let own = envelope.endpoint.dialect();
    if dialect == own {
        return Ok(spliced(envelope, body, target));
    }
    let model = target.edit.model;
    let written = match (own, dialect) {
        (Dialect::OpenAi, Dialect::Gemini) => gemini::embeddings::request_from_openai(value, model),
        (Dialect::Gemini, Dialect::OpenAi) => gemini::embeddings::request_to_openai(value, model),
        _ => return Err(Unable::NoEndpoint),
    };
    let written = written.map_err(Unable::Bad)?;
    let base64 = gemini::embeddings::wants_base64(value);
    Ok(Outgoing { dialect, path, body: Body::written(&written, body.len()), dropped: Vec::new(), base64 })
}

/// A provider's whole answer, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// What it used.
    pub known: Known,
    /// How it was served, as far as it says.
    pub service: Service,
    /// The model that gave it, by its own word.
    pub model: Option<String>,
    /// The body for the client, where it is not the provider's own.
    pub body: Option<Vec<u8>>,
}

/// What a provider's whole answer in the dialect `from` is to a client of `endpoint`; `None`: it is not whole.
/// `base64`: vectors are to be in it.
pub fn answer(from: Dialect, endpoint: Endpoint, body: &[u8], stamp: &Stamp<'_>, base64: bool) -> Option<Told> {
    use Endpoint::{Embed, EmbedBatch, Embeddings};
    let same = from == endpoint.dialect();
    if same && from == Dialect::OpenAi {
        let usage = read_answer(body).ok()?;
        let counted = if endpoint.has_output() { from.count_answer(body) } else { Tokens::ZERO };
        let (service, model) = of_chat_text(body);
        return Some(Told { known: Known { usage, counted, since: Tokens::ZERO }, service, model, body: None });
    }
    if !fits(body) {
        return None;
    }
    let value: Value = serde_json::from_slice(body).ok()?;
    let write = |value: Value| (!same).then(|| value.to_string().into_bytes());
    if matches!(endpoint, Embeddings | Embed | EmbedBatch) {
        let usage =
            if from == Dialect::Gemini { gemini::embeddings::read_usage(&value) } else { read_answer(body).ok()? };
        if from == Dialect::Gemini && ["embedding", "embeddings"].iter().all(|name| value.get(name).is_none()) {
            return None;
        }
        let known = Known { usage, ..Known::default() };
        if same {
            return Some(Told { known, ..Told::default() });
        }
        let written = match endpoint {
            Embeddings => gemini::embeddings::answer_to_openai(&value, stamp.model, base64),
            _ => gemini::embeddings::answer_from_openai(&value, endpoint == EmbedBatch),
        };
        return Some(Told { known, body: write(written?), ..Told::default() });
    }
    if endpoint.counts() {
        let tokens = ["input_tokens", "totalTokens"].into_iter().find_map(|name| value.get(name)?.as_u64())?;
        let name = if endpoint == Endpoint::GenerateCount { "totalTokens" } else { "input_tokens" };
        let known = Known { usage: Some(crate::chat::Usage::default()), ..Known::default() };
        return Some(Told { known, body: write(json!({name: tokens})), ..Told::default() });
    }
    let answer = from.read_answer(&value).filter(|answer| says_something(answer) || is_under_way(from, &value))?;
    let service = from.read_service(&value);
    drop(value);
    let (known, body) = (known(from, body, &answer), write(endpoint.write_answer(&answer, stamp)));
    Some(Told { known, service, model: model_of(answer), body })
}

/// [`answer`] as the stream that the client asked for, where its provider answered whole all the same.
pub fn streamed(from: Dialect, endpoint: Endpoint, body: &[u8], stamp: &Stamp<'_>, show_usage: bool) -> Option<Told> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let (answer, service) = (from.read_answer(&value).filter(says_something)?, from.read_service(&value));
    let (mut writer, mut bytes) = (Writer::new(endpoint, stamp, show_usage), Vec::new());
    answer.events().iter().for_each(|event| writer.write(event, &mut bytes));
    Some(Told { known: known(from, body, &answer), service, model: model_of(answer), body: Some(bytes) })
}

fn model_of(answer: Answer) -> Option<String> {
    Some(answer.head.model).filter(|model| !model.is_empty())
}

/// Whether there is anything of an answer: some of it, why it ends, or what it used.
fn says_something(answer: &Answer) -> bool {
    answer.usage.is_some() || answer.choices.iter().any(|choice| !choice.parts.is_empty() || choice.finish.is_some())
}

/// Whether the provider works on behind this answer, which says nothing yet.
fn is_under_way(from: Dialect, answer: &Value) -> bool {
    let status = answer.get("status").and_then(Value::as_str);
    from == Dialect::Responses && matches!(status, Some("queued" | "in_progress"))
}

/// What a whole answer used: by its own word, and by all that it says.
fn known(from: Dialect, body: &[u8], answer: &Answer) -> Known {
    Known { usage: answer.usage, counted: from.count_answer(body), since: Tokens::ZERO }
}

/// A provider's error in the dialect `from`, for a client of `endpoint`; `None`: it is to be passed on as it is. `cut`: only
/// its beginning is there.
pub fn fault(from: Dialect, endpoint: Endpoint, status: u16, body: &[u8], cut: bool, id: &str) -> Option<Vec<u8>> {
    let to = endpoint.dialect();
    if from == to && !cut {
        return None;
    }
    let fault = match serde_json::from_slice(body) {
        Ok(value) => from.read_fault(&value),
        Err(_) => Fault { message: String::from_utf8_lossy(body).chars().take(2_000).collect(), ..Fault::default() },
    };
    Some(to.write_fault(status, &fault, Map::new(), id).to_string().into_bytes())
}

#[cfg(test)]
#[path = "translate/tests.rs"]
mod tests;
