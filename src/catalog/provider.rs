//! A service that answers calls: what it speaks, where it is, and how it is shown who calls.
//!
//! Well-known ones are rows of `providers.json`: a catalog that names a provider as such a row is called need only say what
//! differs from it, so `"groq": {}` is all of Groq. Any service that speaks a known dialect is such a row.

use crate::address::MODEL_PLACE;
use crate::chat::Features;
use crate::dialect::{CapField, Dialect};
use crate::fields::{Field, Fields, Invalid};
use crate::price_list::{self, List};
use crate::units::Millis;
use crate::window::parse_seconds;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

/// The providers that are built in, by name.
pub const BUILT_IN: &str = include_str!("providers.json");
const TIMEOUT_DEFAULT: Millis = Millis::from_secs(120);
const HEADERS_MAX: usize = 16;
const HEADER_BYTES_MAX: usize = 1_024;

/// The secrets that are Tollgate's own: no provider may ever be sent one.
pub const OWN_SECRETS: [&str; 3] = ["API_KEYS_SECRET", "API_KEYS_SECRET_PREVIOUS", "ADMIN_TOKEN"];
/// The bindings that are Tollgate's own: none is a provider.
const OWN_BINDINGS: [&str; 2] = ["TENANTS", "REGISTRY"];

/// A service that answers calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// What it speaks: a call of one of these is passed on as it is, any other is translated to the first.
    pub dialects: Vec<Dialect>,
    /// Where it is.
    pub place: Place,
    /// What every address ends with, such as `api-version=2024-10-21`; mostly nothing.
    pub query: String,
    /// What every request has, besides.
    pub headers: Vec<(String, String)>,
    /// The name of the secret that it knows us by; `None`: it asks for none.
    pub secret: Option<String>,
    /// How that is shown.
    pub auth: Auth,
    /// What it refuses of what its dialect can say: such a thing is not put into a request that is translated.
    pub refuses: Features,
    /// Whether all tenants are served by one account there: then what it keeps is passed on only to whose it is.
    pub shared: bool,
    /// The field that carries an output cap which the client did not set itself, in OpenAI's dialect.
    pub output_cap: CapField,
    /// How long a whole answer may take, and the head of a stream.
    pub timeout: Millis,
    /// How long a stream may be silent before its answer begins; `None`: as long as its head may take.
    pub first_event_timeout: Option<Millis>,
    /// The list that has the prices which the document has not.
    pub price_list: Option<List>,
}

/// Where a provider is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Place {
    /// At this address: paths are put behind it, so there is no `/` at its end. [`MODEL_PLACE`] in it stands for the
    /// model.
    Address(String),
    /// Behind a binding of the Worker, which knows by itself who calls.
    Binding {
        /// The binding's name.
        binding: String,
    },
}

impl Place {
    /// The address, where it has one.
    pub fn address(&self) -> Option<&str> {
        match self {
            Self::Address(address) => Some(address),
            Self::Binding { .. } => None,
        }
    }

    /// The name of the binding, where it is behind one.
    pub fn binding(&self) -> Option<&str> {
        match self {
            Self::Address(_) => None,
            Self::Binding { binding } => Some(binding),
        }
    }
}

/// How a provider is shown a secret. Only names of secrets are held here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// As a bearer token.
    #[default]
    Bearer,
    /// In the header of this name.
    Header(String),
    /// As a token of Google's: the secret is the JSON key of a service account.
    Google,
    /// By a signature of Amazon's: the secret is the id of an access key.
    Aws {
        /// The secret that holds the access key itself.
        key: String,
        /// The secret that holds the token of a session, if it is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<String>,
        /// The region that is signed for.
        region: String,
    },
}

impl Auth {
    /// The names of all secrets that are shown so, of which `first` is the one that every way has.
    pub fn secrets<'a>(&'a self, first: Option<&'a str>) -> impl Iterator<Item = &'a str> {
        let more = match self {
            Self::Aws { key, session, .. } => [Some(key.as_str()), session.as_deref()],
            _ => [None, None],
        };
        first.into_iter().chain(more.into_iter().flatten())
    }

    /// Whether it is the usual way.
    pub const fn is_bearer(&self) -> bool {
        matches!(self, Self::Bearer)
    }
}

impl Provider {
    /// The names of all secrets that it needs.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.auth.secrets(self.secret.as_deref())
    }
}

/// Reads the provider `name`: what it leaves out is as the row of that name has it, where there is one. `null` is nothing.
pub(super) fn read(name: &str, field: &Field<'_>, built_in: &Value) -> Result<Provider, Invalid> {
    let document = over_built_in(built_in.get(name), field.value());
    let mut fields = field.with(&document).fields()?;
    let dialects = read_dialects(&fields.required("dialect")?)?;
    let place = read_place(&mut fields, &dialects)?;
    let address = place.address();
    let query = fields.optional("query").map(|field| read_query(&field)).transpose()?.unwrap_or_default();
    let headers = fields.optional("headers").map(|field| read_headers(&field)).transpose()?.unwrap_or_default();
    let (secret, auth) = fields.optional("auth").map(|field| read_auth(&field)).transpose()?.unwrap_or_default();
    let refuses = super::read_features(fields.optional("refuses"))?;
    let shared = fields.optional("shared").map_or(Ok(true), |field| field.boolean())?;
    let output_cap = match fields.optional("output_cap") {
        // OpenAI's reasoning models take no other; most compatible servers know only the older one.
        None if address.is_some_and(|address| address.starts_with("https://api.openai.com/")) => {
            CapField::MaxCompletionTokens
        }
        None => CapField::MaxTokens,
        Some(field) => CapField::parse(field.text(32)?)
            .ok_or_else(|| field.invalid("must be \"max_tokens\" or \"max_completion_tokens\""))?,
    };
    let timeout = fields.optional("timeout").map(|field| read_timeout(&field)).transpose()?.unwrap_or(TIMEOUT_DEFAULT);
    let first_event_timeout = fields.optional("first_event_timeout").map(|field| read_timeout(&field)).transpose()?;
    let price_list = match fields.optional("price_list") {
        None => address.and_then(List::at).or_else(|| List::named(name)),
        Some(field) => read_price_list(&field)?,
    };
    fields.finish()?;
    Ok(Provider {
        dialects,
        place,
        query,
        headers,
        secret,
        auth,
        refuses,
        shared,
        output_cap,
        timeout,
        first_event_timeout,
        price_list,
    })
}

fn read_timeout(field: &Field<'_>) -> Result<Millis, Invalid> {
    let seconds = parse_seconds(field.text(16)?).filter(|seconds| (1..=600).contains(seconds));
    Ok(Millis::from_secs(seconds.ok_or_else(|| field.invalid("must be a time from 1s to 10m, such as \"30s\""))?))
}

/// The rows that are built in, by name.
pub(super) fn built_in() -> Value {
    serde_json::from_str(BUILT_IN).unwrap_or_default()
}

/// What the document says of a provider, on top of the row that is built in.
fn over_built_in(row: Option<&Value>, document: &Value) -> Value {
    match (row, document) {
        (Some(Value::Object(row)), Value::Object(own)) => {
            let mut row = row.clone();
            row.extend(own.clone());
            Value::Object(row)
        }
        _ => document.clone(),
    }
}

/// One dialect, or the list of all that it speaks.
fn read_dialects(field: &Field<'_>) -> Result<Vec<Dialect>, Invalid> {
    let read = |field: &Field<'_>| {
        let name = field.text(32)?;
        Dialect::named(name).ok_or_else(|| {
            let names = Dialect::ALL.map(Dialect::name).join(", ");
            field.invalid(format!("must be one of {names}, or a list of them; got {name:?}"))
        })
    };
    if !field.value().is_array() {
        return read(field).map(|dialect| vec![dialect]);
    }
    let dialects = field.list(Dialect::ALL.len())?.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    if dialects.is_empty() { Err(field.invalid("must name at least one dialect")) } else { Ok(dialects) }
}

fn read_auth(field: &Field<'_>) -> Result<(Option<String>, Auth), Invalid> {
    let mut fields = field.fields()?;
    let secret = |field: &Field<'_>| read_secret_name(field).map(Some);
    let found = if let Some(bearer) = fields.optional("bearer") {
        (secret(&bearer)?, Auth::Bearer)
    } else if let Some(google) = fields.optional("google") {
        (secret(&google)?, Auth::Google)
    } else if let Some(aws) = fields.optional("aws") {
        read_aws(&aws)?
    } else {
        let header = fields.required("header")?.text(64)?.to_ascii_lowercase();
        if !is_header_name(&header) {
            return Err(field.invalid("must name a header that may be set, such as \"x-api-key\""));
        }
        (secret(&fields.required("secret")?)?, Auth::Header(header))
    };
    fields.finish()?;
    Ok(found)
}

fn read_aws(field: &Field<'_>) -> Result<(Option<String>, Auth), Invalid> {
    let mut fields = field.fields()?;
    let id = read_secret_name(&fields.required("access_key_id")?)?;
    let key = read_secret_name(&fields.required("secret_access_key")?)?;
    let session = fields.optional("session_token").map(|field| read_secret_name(&field)).transpose()?;
    let region = fields.required("region")?;
    let name = region.text(32)?;
    if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
        return Err(region.invalid("must be the name of a region, such as \"us-east-1\""));
    }
    let auth = Auth::Aws { key, session, region: name.to_owned() };
    fields.finish()?;
    Ok((Some(id), auth))
}

/// A header that is not one of those by which requests are framed or sent.
fn is_header_name(name: &str) -> bool {
    const OURS: [&str; 8] =
        ["host", "content-length", "content-type", "transfer-encoding", "connection", "accept", "user-agent", "cookie"];
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.bytes().all(plain) && !OURS.contains(&name)
}

fn read_headers(field: &Field<'_>) -> Result<Vec<(String, String)>, Invalid> {
    let mut headers = Vec::new();
    for (name, value) in field.entries(HEADERS_MAX)? {
        let lower = name.to_ascii_lowercase();
        if !is_header_name(&lower) || lower == "authorization" {
            return Err(value.invalid("is no header that may be set here; keys go into \"auth\""));
        }
        let text = value.text(HEADER_BYTES_MAX)?;
        if !text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
            return Err(value.invalid("must have printable ASCII characters only"));
        }
        headers.push((lower, text.to_owned()));
    }
    Ok(headers)
}

/// What follows a `?`: names and values that need no escapes.
fn read_query(field: &Field<'_>) -> Result<String, Invalid> {
    let text = field.text(256)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~=&%+".contains(&byte);
    if !text.bytes().all(plain) {
        return Err(field.invalid("must be a query such as \"api-version=2024-10-21\", escaped and without '?'"));
    }
    Ok(text.to_owned())
}

fn read_price_list(field: &Field<'_>) -> Result<Option<List>, Invalid> {
    let name = field.text(64)?;
    if name == "none" {
        return Ok(None);
    }
    List::named(name).map(Some).ok_or_else(|| {
        // Not all: the eleven of one router would fill the screen.
        let names = price_list::lists().map(|list| list.name).filter(|name| !name.starts_with("huggingface_"));
        let names = names.collect::<Vec<_>>().join(", ");
        field.invalid(format!("must be \"none\" or a list that is built in: {names}, huggingface_…; got {name:?}"))
    })
}

/// Where the provider is: by its `base_url` or its `binding`. That is Workers AI, which is sent its inputs alone.
fn read_place(fields: &mut Fields<'_>, dialects: &[Dialect]) -> Result<Place, Invalid> {
    let Some(field) = fields.optional("binding") else {
        if dialects.contains(&Dialect::WorkersAi) {
            let problem =
                "cannot be where \"workers-ai\" is spoken; give \"binding\": \"AI\", for only a binding speaks it";
            fields.optional("base_url").map_or(Ok(()), |address| Err(address.invalid(problem)))?;
            fields.required("binding")?;
        }
        return read_base_url(&fields.required("base_url")?).map(Place::Address);
    };
    let beside = ["base_url", "auth", "headers", "query"].into_iter().find_map(|name| fields.optional(name));
    if let Some(beside) = beside {
        return Err(beside.invalid("cannot stand beside \"binding\", which has an address and a credential of its own"));
    }
    let binding = read_env_name(&field, "must be the name of a binding of the Worker, such as \"AI\"")?;
    if OWN_BINDINGS.contains(&binding.as_str()) {
        return Err(field.invalid(format!("{binding} is Tollgate's own binding and no provider")));
    }
    if *dialects != [Dialect::WorkersAi] {
        return Err(field.invalid("is for the dialect \"workers-ai\" alone"));
    }
    Ok(Place::Binding { binding })
}

/// The address, without a `/` at its end.
fn read_base_url(field: &Field<'_>) -> Result<String, Invalid> {
    let text = field.text(512)?;
    let wrong = || {
        field.invalid(format!("must be an http or https address such as \"https://api.openai.com/v1\"; got {text:?}"))
    };
    // Braces are escaped in addresses; the one place of them that means something is put back.
    let url = Url::parse(text).map_err(|_| wrong())?;
    let bare =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if !bare {
        return Err(field.invalid(
            "must hold no user, password, query or fragment; put keys into a secret and name it in \"auth\"",
        ));
    }
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(wrong());
    }
    Ok(url.as_str().replace("%7Bmodel%7D", MODEL_PLACE).trim_end_matches('/').to_owned())
}

fn read_secret_name(field: &Field<'_>) -> Result<String, Invalid> {
    // The value is not shown: it may be a key that was put here by mistake.
    let name = read_env_name(field, "must be the name of a secret, such as \"OPENAI_API_KEY\", never the key itself")?;
    if OWN_SECRETS.contains(&name.as_str()) {
        return Err(field.invalid(format!("{name} is Tollgate's own secret and is never sent to a provider")));
    }
    Ok(name)
}

/// The name of something that the Worker is given; else it is as `right` says.
fn read_env_name(field: &Field<'_>, right: &str) -> Result<String, Invalid> {
    let name = field.text(64)?;
    let plain = name.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'));
    if !plain || name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(field.invalid(right));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
#[path = "provider/tests.rs"]
mod tests;
