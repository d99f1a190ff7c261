//! Tollgate: an AI gateway on Cloudflare Workers whose limits and budgets are exact.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::panic,
        reason = "tests may fail loudly"
    )
)]

pub mod units;
pub mod fields;
pub mod key;
pub mod catalog;
pub mod pattern;
pub mod policy;
pub mod window;
pub mod limits;
pub mod price;
pub mod rows;
pub mod ledger;
pub mod health;
pub mod route;
pub mod fit;
pub mod tenant;
pub mod usage;
pub mod store;
pub mod wire;
pub mod sse;
pub mod dialect;
pub mod relay;
pub mod refusal;
pub mod answer;
pub mod operator;

#[cfg(target_arch = "wasm32")]
mod shell;
