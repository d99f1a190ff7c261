//! Tollgate: an AI gateway on Cloudflare Workers whose limits and budgets are exact.
//!
//! A stateless front Worker checks a key and passes bytes; the tenant's Durable Object alone decides
//! whether a call may go out and what it is billed. The object is single-threaded and keeps its own
//! SQLite, so a check, its reservation and its count are one step that nothing can come between.
//!
//! # One call's life
//!
//! 1. The front reads the request's head and checks the key's MAC, without I/O ([`key`]); where a page of a browser's calls, it knows
//!    whether that may read the answer ([`origin`]).
//! 2. It reads the body's envelope: model, stream, output caps, choices, what bounds its size, and what it reaches besides its own
//!    words: other models, what a provider keeps, work behind the answer ([`dialect`], [`reach`]).
//! 3. The tenant's object admits it: key, model, every limit at once; what it may cost is held
//!    ([`tenant`], [`limits`], [`bound`], [`fit`], [`price`], [`service`]), of a rate what such calls mostly use ([`habit`]). The
//!    answer leaves when its ledger row is durable ([`rows`], [`store`]).
//! 4. The front calls the targets in their order ([`route`], [`health`]) with the request spliced for
//!    each, or translated where the target speaks another dialect ([`translate`], [`chat`]), until the answer of one has
//!    begun ([`answer`], [`relay`]). Every answer tells how the limits of its call stand ([`gauge`]).
//! 5. A stream passes frame by frame and is metered on the way ([`sse`], [`relay`]), or is read as events and written
//!    anew. The object hears of it every few seconds, renews its lease, and has it stopped where a budget was cut ([`tenant`]).
//! 6. The call is settled: its hold becomes its bill ([`settle`]), once, whatever is repeated ([`ledger`]). What was sent and
//!    fell silent is estimated ([`attempt`], [`tenant`]), until it tells its usage late ([`wire::Late`]). The settlement
//!    travels with the tenant's next call, or waits 5 ms.
//! 7. A call nobody settles ends at its lease, billed at what it held, until somebody does.
//! 8. The tenant reads its limits and sums at any time ([`usage`]).
//!
//! A call with an `Idempotency-Key` is made and billed once: whoever sends it again is given its answer, while
//! that comes or later ([`idempotency`]).
//!
//! What is no conversation can be passed on as it is, under the same limits: then all that is known of a call is its path and what
//! its answer says in passing ([`passthrough`]).
//!
//! What an isolate holds for all its calls is counted (`shell/memory.js`). A body is held once, and goes out as the client's bytes
//! with [patches](dialect::Patches).
//!
//! # Reading order
//!
//! The modules below stand in it: units and documents first, then what decides who may spend, then
//! what reads what was said, and last where both meet. `shell` is the platform.
//!
//! # What is true of the whole
//!
//! - No module but `shell` names the platform: the rest has no I/O, no clock and no randomness, and
//!   runs natively. Time is an argument.
//! - Who may spend ([`tenant`] and what it uses) and what was said ([`relay`], [`sse`], [`dialect`])
//!   do not know one another.
//! - A refusal changes nothing; all checks come before the first change.
//! - For every limit and instant, settled + held is at most the limit, unless a provider bills more
//!   than was held or the limit was lowered since. Budgets hold the worst case, so that is what has no bound, as a tool that the
//!   provider runs; the next window repays it first. Time never runs backwards, but
//!   where a clock was ahead: then what it dated ahead is dated to its return.
//! - Memory is a cache of the rows: a tenant rebuilt from them decides as the one before.
//! - Only [`refusal`] chooses statuses, only [`answer`] judges a provider's. Only [`store`] knows the
//!   object's SQL.
//! - Every dialect is read into [`chat`] and written from it; none knows another. What one cannot say is named, never lost.
//! - Secrets are types that do not print.
//!
//! `tests/laws.rs` proves these on random histories, `tests/chat_laws.rs` those of the dialects, `tests/tidy.rs` what is
//! about the text itself.
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
pub mod secret;
pub mod address;
pub mod key;
pub mod catalog;
pub mod pattern;
pub mod origin;
pub mod passthrough;
pub mod policy;
pub mod window;
pub mod service;
pub mod price;
pub mod tariff;
pub mod price_list;
pub mod bound;
pub mod reach;
pub mod limits;
pub mod gauge;
pub mod rows;
pub mod habit;
pub mod idempotency;
pub mod ledger;
pub mod health;
pub mod attempt;
pub mod route;
pub mod fit;
pub mod tenant;
pub mod usage;
pub mod store;
pub mod wire;
pub mod chat;
pub mod sse;
pub mod dialect;
pub mod aws;
pub mod google;
pub mod reckon;
pub mod relay;
pub mod translate;
pub mod settle;
pub mod refusal;
pub mod answer;
pub mod operator;

#[cfg(target_arch = "wasm32")]
mod shell;
