//! Providers, models and prices, as one document that is valid as a whole and has a version.
//!
//! A target's own price in the document comes first: under its name, or else under the longest `…*`
//! that covers it. Where there is none, or none yet, its provider's list of [`crate::price_list`]
//! counts. All of that is looked up when the document is read; a call only picks what holds at its time.

use crate::address;
use crate::chat::{Feature, Features};
use crate::dialect::Dialect;
use crate::fields::{Field, Invalid};
use crate::price::Price;
use crate::price_list;
use crate::reckon::CONTEXT;
use crate::tariff::{Dated, Tariff};
use crate::units::{Millis, NanoUsd, Rate, Tokens};
use serde_json::Value;
use std::collections::BTreeMap;

mod prices;
mod provider;

pub use provider::{Auth, BUILT_IN, OWN_SECRETS, Place, Provider};

/// The document of version 0, which ships with Tollgate: what OpenAI and Anthropic offer.
///
/// It has no prices of its own. An image's tokens: at OpenAI 32-pixel patches times the model's
/// factor, or tiles; at Anthropic 28-pixel patches; always of the largest image, at the finest detail.
pub const DEFAULT: &str = include_str!("catalog/default.json");
/// The largest catalog document, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 512 * 1_024;
const PROVIDERS_MAX: usize = 128;
const MODELS_MAX: usize = 2_000;
const PRICES_MAX: usize = 4_000;
const TARGETS_MAX: usize = 8;
const NAME_BYTES_MAX: usize = 256;
/// What a call is reckoned to answer at most where neither the client nor the catalog says.
pub const OUTPUT_DEFAULT: Tokens = Tokens::new(16_384);
/// What an image is reckoned at where the catalog does not say.
const IMAGE_DEFAULT: Tokens = Tokens::new(6_000);
/// What a file is reckoned at where the catalog does not say.
const FILE_DEFAULT: Tokens = Tokens::new(100_000);
/// What is held for a call whose size does not bound it, where the catalog does not say: 10 cents.
pub const UNBOUNDED_DEFAULT: NanoUsd = NanoUsd::new(100_000_000);

/// Which providers there are, which models clients may name, and what tokens cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Which document this is; 0 is the one that ships with Tollgate.
    pub version: u64,
    /// By name.
    pub providers: BTreeMap<String, Provider>,
    /// By the name that clients use.
    pub models: BTreeMap<String, Model>,
    /// By `provider/model`, where a final `*` stands for any rest: the document's own.
    pub prices: BTreeMap<String, Tariff>,
    /// What a target without a price costs, where a policy asks for it.
    pub default_price: Option<Tariff>,
    /// Where native calls go that name no provider, where the document says so.
    pub default_provider: Option<String>,
    /// What each target costs.
    priced: BTreeMap<Target, Priced>,
}

/// What one target costs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Priced {
    /// By the document.
    own: Option<Tariff>,
    /// By its provider's list.
    listed: Option<Tariff>,
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
    /// What a target cannot do is left out of its request and named, instead of refused.
    pub drop_unsupported: bool,
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
    /// What it cannot do, besides what its provider's dialect cannot say.
    pub lacks: Features,
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
        let built_in = provider::built_in();
        for (name, field) in fields.required("providers")?.entries(PROVIDERS_MAX)? {
            check_name(name, &field, false)?;
            catalog.providers.insert(name.to_owned(), provider::read(name, &field, &built_in)?);
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
                catalog.prices.insert(name.to_owned(), prices::read_tariff(&field)?);
            }
        }
        catalog.default_price =
            fields.optional("default_price").map(|field| prices::read_tariff(&field)).transpose()?;
        if let Some(field) = fields.optional("default_provider") {
            let name = field.text(NAME_BYTES_MAX)?;
            if !catalog.providers.contains_key(name) {
                return Err(field.invalid(format!("{name:?} is not among this catalog's providers")));
            }
            catalog.default_provider = Some(name.to_owned());
        }
        fields.finish()?;
        catalog.look_up();
        Ok(catalog)
    }

    /// Reads a catalog document that an operator sends, by all rules: those stored before a rule was made are read without it.
    ///
    /// # Errors
    /// As [`Catalog::read`].
    pub fn read_new(document: &Value) -> Result<Self, Invalid> {
        let catalog = Self::read(document, 0)?;
        for (name, provider) in &catalog.providers {
            let at = |problem: &str| Invalid {
                path: format!("catalog.providers[{name:?}].base_url"),
                problem: problem.to_owned(),
            };
            // As it is written, and as it is understood.
            let written = document.get("providers").and_then(|all| all.get(name)?.get("base_url")?.as_str());
            for address in [written, provider.place.address()].into_iter().flatten() {
                address::problem(address).map_or(Ok(()), |problem| Err(at(problem)))?;
            }
        }
        Ok(catalog)
    }

    /// Looks up what each target costs, and how much each model reads where the document does not say.
    fn look_up(&mut self) {
        for model in self.models.values_mut() {
            let mut contexts = Vec::new();
            for target in &model.targets {
                let list = self.providers.get(&target.provider).and_then(|provider| provider.price_list);
                let listed = list.and_then(|list| list.find(&target.model));
                contexts.push(listed.as_ref().and_then(reads_at_most));
                let own = own_price(&self.prices, &target.name()).cloned();
                self.priced.insert(target.clone(), Priced { own, listed: listed.map(|listed| listed.tariff) });
            }
            let context = contexts.into_iter().collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().max());
            model.max_input = model.max_input.or(context);
        }
    }

    /// What `target` costs at `now`, and where that is written: `catalog:3`, `genai-prices:0.2.1@2026-10-19`.
    pub fn price(&self, target: &Target, now: Millis) -> Option<(Price, String)> {
        self.dated(target, now).map(|(dated, source)| (dated.price.clone(), source))
    }

    /// [`Catalog::price`] with what other services cost.
    pub fn dated(&self, target: &Target, now: Millis) -> Option<(&Dated, String)> {
        let priced = self.priced.get(target)?;
        let own = priced.own.as_ref().and_then(|tariff| tariff.at(now));
        let listed = || priced.listed.as_ref()?.at(now).map(|dated| (dated, sourced(price_list::SOURCE, dated)));
        own.map(|dated| (dated, self.sourced(dated))).or_else(listed)
    }

    /// What a target without a price costs at `now`, and where that is written: `default:3`.
    pub fn default_price(&self, now: Millis) -> Option<(&Dated, String)> {
        let dated = self.default_price.as_ref()?.at(now)?;
        Some((dated, sourced(&format!("default:{}", self.version), dated)))
    }

    /// What the document says that `name` costs at `now`, and where that is written. A name is `provider/model`, or
    /// `provider/path` of a native call.
    pub fn own_price(&self, name: &str, now: Millis) -> Option<(&Dated, String)> {
        let dated = own_price(&self.prices, name)?.at(now)?;
        Some((dated, self.sourced(dated)))
    }

    /// What any `model` of a provider costs at `now`, one of no target too, and where that is written.
    pub fn model_price(&self, provider: &str, model: &str, now: Millis) -> Option<(Dated, String)> {
        let own = self.own_price(&format!("{provider}/{model}"), now);
        own.map(|(dated, source)| (dated.clone(), source)).or_else(|| {
            let listed = self.providers.get(provider)?.price_list?.find(model)?;
            let dated = listed.tariff.at(now)?;
            Some((dated.clone(), sourced(price_list::SOURCE, dated)))
        })
    }

    fn sourced(&self, dated: &Dated) -> String {
        sourced(&format!("catalog:{}", self.version), dated)
    }

    /// The provider of a native call: the one that is `wanted`, else the one that the document names for it, else `openai`, else
    /// the first that speaks its dialect.
    pub fn native(&self, wanted: Option<&str>) -> Option<(&str, &Provider)> {
        let named = |name: &str| self.providers.get_key_value(name);
        let speaks = |(_, provider): &(&String, &Provider)| provider.dialects.contains(&Dialect::OpenAi);
        let found = match wanted.or(self.default_provider.as_deref()) {
            Some(name) => named(name),
            None => named("openai").or_else(|| self.providers.iter().find(speaks)),
        };
        found.map(|(name, provider)| (name.as_str(), provider))
    }

    /// The secrets that the catalog's providers need.
    pub fn secrets(&self) -> impl Iterator<Item = (&str, &str)> {
        self.providers.iter().flat_map(|(name, provider)| provider.secrets().map(|secret| (name.as_str(), secret)))
    }
}

/// The document's price of the target `name`: under its name, or under the longest `…*` that covers it. However many prices
/// there are, it is looked up once for each letter of the name at most.
fn own_price<'a>(prices: &'a BTreeMap<String, Tariff>, name: &str) -> Option<&'a Tariff> {
    let heads = name.char_indices().map(|(at, _)| at).chain([name.len()]).rev();
    let covering = |at: usize| prices.get(&format!("{}*", name.get(..at)?));
    prices.get(name).or_else(|| heads.into_iter().find_map(covering))
}

/// The most input of a listed model: its context, or more where a price is for more than that. One that has no output takes many
/// texts in a call, each of that size.
fn reads_at_most(listed: &price_list::Listed) -> Option<Tokens> {
    let prices = || listed.tariff.0.iter().map(|dated| &dated.price);
    let context = listed.context.filter(|_| prices().any(|price| price.rates.output > Rate::ZERO))?;
    let is_longer = prices().flat_map(|price| &price.tiers).any(|tier| tier.above >= context);
    Some(if is_longer { context.max(CONTEXT) } else { context })
}

/// Where a price is written, and which of several there.
fn sourced(source: &str, dated: &Dated) -> String {
    format!("{source}{}", dated.when.suffix())
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
        let lacks = read_features(parts.optional("lacks"))?;
        parts.finish()?;
        let name = provider.text(NAME_BYTES_MAX)?;
        if !providers.contains_key(name) {
            return Err(provider.invalid(format!("{name:?} is not among this catalog's providers")));
        }
        targets.push(Target { provider: name.to_owned(), model, lacks });
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
    let drop_unsupported = fields.optional("drop_unsupported").map_or(Ok(false), |field| field.boolean())?;
    fields.finish()?;
    Ok(Model { targets, max_output, max_input, image_tokens, file_tokens, unbounded_reserve, drop_unsupported })
}

fn read_features(field: Option<Field<'_>>) -> Result<Features, Invalid> {
    let Some(field) = field else { return Ok(Features::default()) };
    field.list(Feature::ALL.len())?.into_iter().try_fold(Features::default(), |features, field| {
        let name = field.text(32)?;
        Feature::named(name).map(|feature| features.with(feature)).ok_or_else(|| {
            let names = Feature::ALL.iter().map(|feature| feature.name()).collect::<Vec<_>>().join(", ");
            field.invalid(format!("must be one of {names}; got {name:?}"))
        })
    })
}

#[cfg(test)]
#[path = "catalog/tests.rs"]
mod tests;
