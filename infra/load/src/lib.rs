#![doc = include_str!("../README.md")]

mod client;
mod handshakes;
mod stalled;
mod steady;

pub use client::{Client, Group, Protocol};
pub use handshakes::handshakes;
pub use stalled::StalledConnection;
pub use steady::{Latencies, steady};
