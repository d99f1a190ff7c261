//! The platform: the only module that names `worker`, and thin.
//!
//! Rust decides and never waits, JavaScript waits and never decides: [`gateway`] and [`visit`] are
//! the front, driven by `front.js`; [`tenant_host`] hosts one tenant's state machine in its Durable
//! Object, driven by `entry.js`. So a call costs few crossings, and a panic is an error instead of a
//! hang: the isolate's Rust memory starts anew, and what was under way is left to its leases. Only
//! the admin API waits in Rust.

mod gateway;
mod visit;
mod watching;
mod call;
mod body;
mod outgoing;
mod failed;
mod answered;
mod long;
mod terms;
mod late;
mod google;
mod named;
mod stream;
mod through;
mod object;
mod tenant_host;
mod admin;
mod registry;
mod glue;
