//! Providers, models and prices, as one document that is valid as a whole and has a version.

use crate::dialect::openai::splice::CapField;
use crate::fields::{Field, Invalid};
use crate::price::{Price, Rates};
use crate::units::{Millis, NanoUsd, Rate, Tokens};
use crate::window::parse_seconds;
use serde_json::Value;
use std::collections::BTreeMap;
use url::Url;

/// The document of version 0, which ships with Tollgate: what OpenAI and Anthropic offer.
///
/// Prices: the `genai-prices` data of November 2026.
pub const DEFAULT: &str = include_str!("catalog/default.json");
/// The largest catalog document, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 512 * 1_024;
const PROVIDERS_MAX: usize = 128;
const MODELS_MAX: usize = 2_000;
const PRICES_MAX: usize = 4_000;
const TARGETS_MAX: usize = 8;
const NAME_BYTES_MAX: usize = 256;
const TIMEOUT_DEFAULT: Millis = Millis::from_secs(120);
/// What a call is reckoned to answer at most where neither the client nor the catalog says.
const OUTPUT_DEFAULT: Tokens = Tokens::new(16_384);
/// What an image is reckoned at where the catalog does not say.
const IMAGE_DEFAULT: Tokens = Tokens::new(6_000);
/// What a file is reckoned at where the catalog does not say.
const FILE_DEFAULT: Tokens = Tokens::new(100_000);
/// What is held for a call whose size does not bound it, where the catalog does not say: 10 cents.
const UNBOUNDED_DEFAULT: NanoUsd = NanoUsd::new(100_000_000);

/// The secrets that are Tollgate's own: no provider may ever be sent one.
pub const OWN_SECRETS: [&str; 3] = ["API_KEYS_SECRET", "API_KEYS_SECRET_PREVIOUS", "ADMIN_TOKEN"];

/// Which providers there are, which models clients may name, and what tokens cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Which document this is; 0 is the one that ships with Tollgate.
    pub version: u64,
    /// By name.
    pub providers: BTreeMap<String, Provider>,
    /// By the name that clients use.
    pub models: BTreeMap<String, Model>,
    /// By `provider/model`, where a final `*` stands for any rest.
    pub prices: BTreeMap<String, Price>,
}

/// A service that answers calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// What paths are put behind: no `/` at its end.
    pub base_url: String,
    /// The name of the secret that is sent as a bearer token; `None`: none is sent.
    pub secret: Option<String>,
    /// The field that carries an output cap which the client did not set itself.
    pub output_cap: CapField,
    /// How long a whole answer may take, and the first byte of a stream.
    pub timeout: Millis,
}

/// A model as clients name it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// Where calls go, in order: the next only where the one before failed.
    pub targets: Vec<Target>,
    /// The most it can answer, where known.
    pub max_output: Option<Tokens>,
    /// The most it can read, where known.
    pub max_input: Option<Tokens>,
    /// The most tokens that it makes of one image.
    pub image_tokens: Tokens,
    /// The most tokens that it makes of one file.
    pub file_tokens: Tokens,
    /// What is held for a call whose size does not bound it.
    pub unbounded_reserve: NanoUsd,
}

impl Model {
    /// The most that one answer of this model is reckoned to hold.
    pub fn output_bound(&self) -> Tokens {
        self.max_output.unwrap_or(OUTPUT_DEFAULT)
    }
}

/// One provider's model.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The provider's name in the catalog.
    pub provider: String,
    /// The model's name at that provider.
    pub model: String,
}

impl Target {
    /// `provider/model`, as prices are named.
    pub fn name(&self) -> String {
        format!("{}/{}", self.provider, self.model)
    }
}

impl Catalog {
    /// Reads a catalog document as `version`.
    ///
    /// # Errors
    /// The first field that is wrong, and what would be right: nothing of the document was taken.
    pub fn read(document: &Value, version: u64) -> Result<Self, Invalid> {
        let root = Field::root("catalog", document);
        let mut fields = root.fields()?;
        let mut catalog = Self { version, ..Self::default() };
        for (name, field) in fields.required("providers")?.entries(PROVIDERS_MAX)? {
            check_name(name, &field, false)?;
            catalog.providers.insert(name.to_owned(), read_provider(&field)?);
        }
        for (name, field) in fields.required("models")?.entries(MODELS_MAX)? {
            check_name(name, &field, true)?;
            catalog.models.insert(name.to_owned(), read_model(&field, &catalog.providers)?);
        }
        if let Some(prices) = fields.optional("prices") {
            for (name, field) in prices.entries(PRICES_MAX)? {
                let provider = name.split_once('/').map(|(provider, _)| provider);
                if provider.is_none_or(|provider| !catalog.providers.contains_key(provider)) {
                    return Err(field.invalid("must be named provider/model, with a provider of this catalog"));
                }
                catalog.prices.insert(name.to_owned(), read_price(&field)?);
            }
        }
        fields.finish()?;
        Ok(catalog)
    }

    /// What `target` costs at `now`, and where that is written: its own price, or else that of the
    /// longest `…*` which covers it.
    pub fn price(&self, target: &Target, _now: Millis) -> Option<(Price, String)> {
        let name = target.name();
        let covers = |pattern: &str| pattern.strip_suffix('*').is_some_and(|head| name.starts_with(head));
        let by_pattern =
            || self.prices.iter().filter(|(pattern, _)| covers(pattern)).max_by_key(|(pattern, _)| pattern.len());
        let own = self.prices.get(&name).or_else(|| by_pattern().map(|(_, price)| price));
        own.map(|price| (price.clone(), format!("catalog:{}", self.version)))
    }

    /// The secrets that the catalog's providers need.
    pub fn secrets(&self) -> impl Iterator<Item = (&str, &str)> {
        self.providers.iter().filter_map(|(name, provider)| Some((name.as_str(), provider.secret.as_deref()?)))
    }
}

fn check_name(name: &str, field: &Field<'_>, slash: bool) -> Result<(), Invalid> {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'*' && (slash || byte != b'/');
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(plain) {
        let kind = if slash { "a model's" } else { "a provider's" };
        return Err(field
            .invalid(format!("{kind} name has 1 to {NAME_BYTES_MAX} printable ASCII characters, no space, no '*'")));
    }
    Ok(())
}

fn read_provider(field: &Field<'_>) -> Result<Provider, Invalid> {
    let mut fields = field.fields()?;
    let dialect = fields.required("dialect")?;
    if dialect.value() != "openai" {
        return Err(dialect.invalid(format!("must be \"openai\"; got {}", dialect.value())));
    }
    let url = fields.required("base_url")?;
    let base = read_base_url(&url)?;
    let secret = match fields.optional("auth") {
        None => None,
        Some(auth) => {
            let mut auth = auth.fields()?;
            let secret = read_secret_name(&auth.required("bearer")?)?;
            auth.finish()?;
            Some(secret)
        }
    };
    let output_cap = match fields.optional("output_cap") {
        // OpenAI's reasoning models take no other; most compatible servers know only the older one.
        None if base.host_str() == Some("api.openai.com") => CapField::MaxCompletionTokens,
        None => CapField::MaxTokens,
        Some(field) => CapField::parse(field.text(32)?)
            .ok_or_else(|| field.invalid("must be \"max_tokens\" or \"max_completion_tokens\""))?,
    };
    let timeout = match fields.optional("timeout") {
        None => TIMEOUT_DEFAULT,
        Some(field) => {
            let seconds = parse_seconds(field.text(16)?).filter(|seconds| (1..=600).contains(seconds));
            Millis::from_secs(seconds.ok_or_else(|| field.invalid("must be a time from 1s to 10m, such as \"30s\""))?)
        }
    };
    fields.finish()?;
    let base_url = base.as_str().trim_end_matches('/').to_owned();
    Ok(Provider { base_url, secret, output_cap, timeout })
}

fn read_base_url(field: &Field<'_>) -> Result<Url, Invalid> {
    let text = field.text(512)?;
    let wrong = || {
        field.invalid(format!("must be an http or https address such as \"https://api.openai.com/v1\"; got {text:?}"))
    };
    let url = Url::parse(text).map_err(|_| wrong())?;
    let bare =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if !bare {
        return Err(field.invalid(
            "must hold no user, password, query or fragment; put keys into a secret and name it in \"auth\"",
        ));
    }
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() { Err(wrong()) } else { Ok(url) }
}

fn read_secret_name(field: &Field<'_>) -> Result<String, Invalid> {
    let name = field.text(64)?;
    let plain = name.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'));
    if !plain || name.starts_with(|first: char| first.is_ascii_digit()) {
        // The value is not shown: it may be a key that was put here by mistake.
        return Err(field.invalid("must be the name of a secret, such as \"OPENAI_API_KEY\", never the key itself"));
    }
    if OWN_SECRETS.contains(&name) {
        return Err(field.invalid(format!("{name} is Tollgate's own secret and is never sent to a provider")));
    }
    Ok(name.to_owned())
}

fn read_model(field: &Field<'_>, providers: &BTreeMap<String, Provider>) -> Result<Model, Invalid> {
    let mut fields = field.fields()?;
    let list = fields.required("targets")?;
    let mut targets = Vec::new();
    for target in list.list(TARGETS_MAX)? {
        let mut parts = target.fields()?;
        let provider = parts.required("provider")?;
        let field = parts.required("model")?;
        let model = field.text(NAME_BYTES_MAX)?.to_owned();
        if model.contains(char::is_control) {
            return Err(field.invalid("must hold no control characters"));
        }
        parts.finish()?;
        let name = provider.text(NAME_BYTES_MAX)?;
        if !providers.contains_key(name) {
            return Err(provider.invalid(format!("{name:?} is not among this catalog's providers")));
        }
        targets.push(Target { provider: name.to_owned(), model });
    }
    if targets.is_empty() {
        return Err(list.invalid("must name at least one target"));
    }
    let count =
        |field: Option<Field<'_>>| field.map(|field| field.integer(1, 1_000_000_000).map(Tokens::new)).transpose();
    let max_output = count(fields.optional("max_output"))?;
    let max_input = count(fields.optional("max_input"))?;
    let image_tokens = count(fields.optional("image_tokens"))?.unwrap_or(IMAGE_DEFAULT);
    let file_tokens = count(fields.optional("file_tokens"))?.unwrap_or(FILE_DEFAULT);
    let unbounded_reserve = match fields.optional("unbounded_reserve") {
        None => UNBOUNDED_DEFAULT,
        Some(field) => field.dollars()?,
    };
    fields.finish()?;
    Ok(Model { targets, max_output, max_input, image_tokens, file_tokens, unbounded_reserve })
}

fn read_price(field: &Field<'_>) -> Result<Price, Invalid> {
    let rate = |field: Field<'_>| {
        let rate = field.value().as_str().and_then(Rate::parse_usd);
        rate.filter(|rate| rate.get() <= Rate::parse_usd("1000000").map_or(0, Rate::get)).ok_or_else(|| {
            field.invalid(format!(
                "must be US dollars for a million tokens as a decimal text such as \"0.15\"; got {}",
                field.value()
            ))
        })
    };
    let mut fields = field.fields()?;
    let input = rate(fields.required("input")?)?;
    let output = fields.optional("output").map_or(Ok(Rate::ZERO), rate)?;
    let cached_input = fields.optional("cached_input").map_or(Ok(input), rate)?;
    fields.finish()?;
    let rates = Rates { cached_input, ..Rates::flat(input, output) };
    Ok(Price { rates, ..Price::default() })
}

#[cfg(test)]
#[path = "catalog/tests.rs"]
mod tests;
