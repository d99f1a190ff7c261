//! Compiles the data of the crate `genai-prices` into tables of integers: [`format`] is their form.
//!
//! The crate gives no access to its data but by calculating with it, so cargo is asked where it lies.
//! What is not understood stops the build: an update of the data cannot lose a price in silence.
//!
//! A model is left without a price where something that it bills is not told by a call's usage:
//! pages, hours, characters, messages, and tokens of images, films or citations. So is a variant of
//! its price: one for another service, such as `batch` or `priority`.

#[path = "src/price_list/format.rs"]
mod format;
#[path = "src/price_list/compile/match_rules.rs"]
mod match_rules;
#[path = "src/price_list/compile/rates.rs"]
mod rates;
#[path = "src/price_list/compile/write.rs"]
mod write;

use match_rules::{Rule, addresses};
use rates::{Prices, Variant, compile_prices};
use serde::Deserialize;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};
use write::{block, number};

const CRATE: &str = "genai-prices";

type Failure = Box<dyn std::error::Error>;

/// One provider of the data.
#[derive(Deserialize)]
struct Provider {
    id: String,
    api_pattern: String,
    #[serde(default)]
    fallback_model_providers: Vec<String>,
    models: Vec<Model>,
}

/// One model of the data. A field that is new may change what is billed, so none is passed over.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Model {
    id: String,
    #[serde(rename = "match")]
    rule: Rule,
    prices: Prices,
    context_window: Option<u64>,
    #[serde(rename = "name")]
    _name: Option<Value>,
    #[serde(rename = "price_comments")]
    _price_comments: Option<Value>,
    #[serde(rename = "description")]
    _description: Option<Value>,
    #[serde(rename = "deprecated")]
    _deprecated: Option<Value>,
    /// Prices of other services than the standard one: batches, service tiers, routes.
    #[serde(default)]
    price_variants: Vec<Variant>,
}

fn main() -> Result<(), Failure> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let (version, folder) = find_crate(&root)?;
    let file = folder.join("data/prices.json");
    let json = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    // The crate's own reading of its data: it is whole, and of the form that this version has.
    genai_prices::Calculator::from_json(&json)?;

    let providers: Vec<Provider> = serde_json::from_slice(&json)?;
    let (mut names, mut prices) = (Vec::new(), Vec::new());
    for provider in &providers {
        let wrong = |error: String| format!("{}: {error}", provider.id);
        block(&mut names, &compile_names(provider).map_err(wrong)?);
        block(&mut prices, &compile_entries(provider).map_err(wrong)?);
    }
    let folder = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(folder.join("list_names.bin"), names)?;
    fs::write(folder.join("list_prices.bin"), prices)?;
    println!("cargo:rustc-env=PRICE_LIST_SOURCE={CRATE}:{version}");
    for input in ["build.rs", "src/price_list/compile", "src/price_list/format.rs", "Cargo.lock"] {
        println!("cargo:rerun-if-changed={input}");
    }
    Ok(())
}

/// The version and the folder of the crate whose data is compiled.
fn find_crate(root: &Path) -> Result<(String, PathBuf), Failure> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        version: String,
        manifest_path: PathBuf,
    }
    let host = env::var("HOST")?;
    let arguments = ["metadata", "--locked", "--format-version=1", "--filter-platform", &host];
    let output = Command::new(env::var("CARGO")?).args(arguments).current_dir(root).output()?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
    let package =
        metadata.packages.into_iter().find(|package| package.name == CRATE).ok_or("it is not in Cargo.lock")?;
    let folder = package.manifest_path.parent().ok_or("its manifest has no folder")?;
    Ok((package.version, folder.to_owned()))
}

fn compile_names(provider: &Provider) -> Result<Vec<u8>, String> {
    let mut names = Vec::new();
    block(&mut names, provider.id.as_bytes());
    for texts in [&addresses(&provider.api_pattern)?, &provider.fallback_model_providers] {
        number(&mut names, texts.len() as u64);
        texts.iter().for_each(|text| block(&mut names, text.as_bytes()));
    }
    for model in &provider.models {
        model.rule.write(&mut names).map_err(|error| format!("{}: {error}", model.id))?;
    }
    Ok(names)
}

fn compile_entries(provider: &Provider) -> Result<Vec<u8>, String> {
    let mut entries = Vec::new();
    for model in &provider.models {
        let mut entry = Vec::new();
        number(&mut entry, model.context_window.unwrap_or(0));
        // A model that names no rate is free only where it says so: others are gone, or priced in words.
        let prices = compile_prices(&model.prices, &model.price_variants, model.id.ends_with(":free"));
        let prices = prices.map_err(|error| format!("{}: {error}", model.id))?;
        number(&mut entry, prices.len() as u64);
        prices.iter().for_each(|dated| dated.write(&mut entry));
        block(&mut entries, &entry);
    }
    Ok(entries)
}
