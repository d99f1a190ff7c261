//! The platform: the only module that names `worker`, and thin.
//!
//! [`gateway`] is the stateless front; [`tenant_host`] hosts one tenant's state machine in its
//! Durable Object. `entry.js` hands the runtime's events to both.

mod gateway;
mod call;
mod upstream;
mod stream;
mod object;
mod tenant_host;
mod admin;
mod registry;
mod glue;
