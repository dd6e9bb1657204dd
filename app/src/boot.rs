//! Startup: the command line, the configuration, the wiring of services, and the life of the process.

pub(crate) mod allocator;
pub(crate) mod command;
pub(crate) mod config;
mod finish;
mod lifecycle;
mod provision;
mod serve;
mod wiring;
