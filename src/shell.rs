//! The platform: the only module that names `worker`, and thin.
//!
//! Rust decides and never waits, JavaScript waits and never decides: [`gateway`] and [`visit`] are
//! the front, driven by `front.js`; [`tenant_host`] hosts one tenant's state machine in its Durable
//! Object, driven by `entry.js`. So a call costs few crossings, and a panic is an error of one call
//! instead of a hang. Only the admin API waits in Rust.

mod gateway;
mod visit;
mod call;
mod stream;
mod object;
mod tenant_host;
mod admin;
mod registry;
mod glue;
