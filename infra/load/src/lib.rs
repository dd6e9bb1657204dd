#![doc = include_str!("../README.md")]

mod client;
mod handshakes;
mod plain;
mod stalled;
mod steady;

pub use client::Client;
pub use client::Group;
pub use client::Protocol;
pub use handshakes::handshakes;
pub use plain::PlainConnection;
pub use stalled::StalledConnection;
pub use steady::Latencies;
pub use steady::steady;
