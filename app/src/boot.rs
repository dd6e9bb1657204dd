//! Startup: command line, configuration, construction of the services, and the process lifecycle.

pub(crate) mod allocator;
pub(crate) mod command;
pub(crate) mod config;
mod finish;
mod lifecycle;
mod provision;
mod serve;
mod wiring;
