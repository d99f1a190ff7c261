//! The fields and members that reach further than a request's own words, and why each is here.

use super::What;
use crate::dialect::names::{field, text};
use crate::dialect::skim::Cursor;

/// Whether a text names something kept.
pub(crate) type IsId = fn(&str) -> bool;

/// A field of a body.
#[derive(Debug)]
pub struct Field {
    /// Its name, in small letters.
    pub name: &'static str,
    /// What it reaches.
    pub what: What,
    /// Why: what follows the field's name in a refusal.
    pub why: &'static str,
}

const CHOOSES: &str = "lets the provider answer with another model";
const SENDS: &str = "sends the call to another place than the catalog's";
const HEADERS: &str = "gives the provider headers or parameters that no limit sees";
const BEHIND: &str = "has the provider work on behind its answer";
const CALLS_BACK: &str = "has the provider work on behind its answer, and tell its end elsewhere";
const CONVERSATION: &str = "goes on with a conversation that is kept at the provider";
const FILES: &str = "names files that are kept at the provider";

macro_rules! fields {
    ($($what:ident $name:literal $why:expr;)*) => {
        const FIELDS: &[Field] = &[$(Field { name: $name, what: What::$what, why: $why }),*];
        /// Their names.
        const NAMES: &[&str] = &[$($name),*];
    };
}

// The fields at the top of a body, and of an `extra_body` in it. They are known in every dialect: routers speak all of them, and a
// field that a provider does not know it refuses or ignores.
fields! {
    // OpenRouter's.
    Model "models" CHOOSES;
    Model "route" CHOOSES;
    Model "preset" "names a preset that chooses model and prompt";
    // LiteLLM's prompts, which may name a model.
    Model "prompt_id" "names a prompt that chooses the model";
    // LiteLLM's, some of them Anthropic's too.
    Model "fallbacks" CHOOSES;
    Model "fallback_models" CHOOSES;
    Model "default_fallbacks" CHOOSES;
    Model "context_window_fallbacks" CHOOSES;
    Model "content_policy_fallbacks" CHOOSES;
    Model "model_list" CHOOSES;
    Model "router_settings" CHOOSES;
    Model "router_settings_override" CHOOSES;
    Model "user_config" CHOOSES;
    Model "specific_deployment" CHOOSES;
    Model "custom_llm_provider" SENDS;
    Model "litellm_params" SENDS;
    Model "litellm_credential_name" "names credentials that are another's";
    Model "api_base" SENDS;
    Model "base_url" SENDS;
    Model "api_key" "brings credentials in place of the operator's";
    Model "api_version" SENDS;
    Model "extra_headers" HEADERS;
    Model "extra_query" HEADERS;
    Model "headers" HEADERS;
    Model "model_id" CHOOSES;
    Model "deployment_id" CHOOSES;
    // Of other routers: Portkey, Requesty, Martian, mixtures of agents.
    Model "config" "names a configuration that chooses model and provider";
    Model "requesty" CHOOSES;
    Model "reference_models" CHOOSES;
    Model "aggregator_model" CHOOSES;
    // OpenAI's and xAI's.
    Kept "previous_response_id" CONVERSATION;
    Kept "conversation" CONVERSATION;
    Kept "conversation_id" CONVERSATION;
    Kept "thread_id" CONVERSATION;
    Kept "assistant_id" "names an assistant that is kept at the provider";
    Kept "agent_id" "names an agent that is kept at the provider";
    Kept "file_ids" FILES;
    Kept "vector_store_ids" FILES;
    // OpenAI's and Anthropic's.
    Kept "container" "names a container that is kept at the provider, with its files";
    // Google's.
    Kept "cachedcontent" "names what is cached at the provider";
    Kept "cached_content" "names what is cached at the provider";
    Kept "previous_interaction_id" CONVERSATION;
    // OpenAI's; xAI's; Workers AI's; of those who call back.
    Later "background" BEHIND;
    Later "deferred" BEHIND;
    Later "queuerequest" BEHIND;
    Later "async_mode" BEHIND;
    Later "webhook" CALLS_BACK;
    Later "webhook_url" CALLS_BACK;
    Later "callback_url" CALLS_BACK;
    Later "async" BEHIND;
}

/// The members that name something kept wherever they stand, in what is not understood otherwise. Their values count as texts, as
/// objects with an `id`, and as lists of these.
const KEPT: [&str; 19] = [
    "file_id",
    "file_ids",
    "fileid",
    "input_file_id",
    "training_file",
    "validation_file",
    "vector_store_id",
    "vector_store_ids",
    "container",
    "container_id",
    "library_ids",
    "knowledge_ids",
    "cached_content",
    "cachedcontent",
    "filesearchstorenames",
    "file_search_store_names",
    "ragcorpus",
    "rag_corpus",
    "datastore",
];
/// Those whose value is an address or the name of a file: of an address that anybody can fetch nothing is kept.
const ADDRESSES: [&str; 7] = ["fileuri", "file_uri", "url", "uri", "image_url", "video_url", "audio_url"];
/// Those whose values are also words that everybody may say.
const WORDS: [(&str, IsId); 3] = [("skill_id", is_own_skill), ("voice", is_nothing), ("file", is_file)];
/// The words that a lenient provider takes for `true`.
const TRUE: [&str; 6] = ["true", "1", "yes", "on", "t", "y"];
/// The members by which a tool of the provider's calls models of its own.
pub(super) const MODELS: [&str; 5] = ["model", "models", "allowed_models", "analysis_models", "fallback_models"];

/// The field of this name, as it is written, if it is one of those that reach further.
pub(crate) fn of_field(raw: &[u8]) -> Option<&'static Field> {
    let name = field(raw, NAMES)?;
    FIELDS.iter().find(|one| one.name == name)
}

/// Whether what comes next asks for what `field` stands for: it is neither `null` nor `false`, nor a text, a list or an object
/// that is empty.
pub(crate) fn is_asked(cursor: &mut Cursor<'_>, asked: &Field) -> Option<bool> {
    let value = cursor.clone().value()?;
    let inside = value.get(1..value.len().saturating_sub(1)).unwrap_or_default();
    Some(match value.first()? {
        b'n' | b'f' | b'0' => false,
        // Of a picture it says what is behind it.
        b'"' if asked.name == "background" => TRUE.contains(&text(inside).trim().to_ascii_lowercase().as_str()),
        b'"' | b'[' | b'{' => !inside.trim_ascii().is_empty(),
        _ => true,
    })
}

/// The member of this name, as it is written, if it names something kept; and which texts are ids.
pub(crate) fn of_member(raw: &[u8]) -> Option<(&'static str, IsId)> {
    let any = field(raw, &KEPT).map(|name| (name, is_something as IsId));
    let address = || field(raw, &ADDRESSES).map(|name| (name, is_kept as IsId));
    any.or_else(address).or_else(|| WORDS.into_iter().find(|(name, _)| field(raw, &[*name]).is_some()))
}

/// Why a field is here; nothing is said of those that are not.
pub fn why(name: &str) -> Option<&'static str> {
    FIELDS.iter().find(|one| one.name.eq_ignore_ascii_case(name)).map(|one| one.why)
}

fn is_something(text: &str) -> bool {
    !text.is_empty()
}

/// Skills that a provider brings along have plain names. Voices that it brings along too: only an object names another.
fn is_own_skill(text: &str) -> bool {
    text.starts_with("skill")
}

fn is_file(text: &str) -> bool {
    ["file-", "file_", "files/"].iter().any(|head| text.starts_with(head))
}

fn is_nothing(_: &str) -> bool {
    false
}

/// Whether an address is of something that is kept at the provider: one of its files, or what lies on its disk. What is on the web
/// anybody can fetch; what lies in a bucket is for the bucket's owner to guard.
fn is_kept(address: &str) -> bool {
    let lower = address.trim().to_ascii_lowercase();
    let is_file = lower.contains("googleapis.com") && lower.contains("/files/");
    is_file || ["files/", "file:"].iter().any(|head| lower.starts_with(head))
}
