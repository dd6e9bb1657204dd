#![doc = include_str!("../README.md")]

mod client;
mod handshakes;
mod steady;

pub use client::{Client, Group, Protocol};
pub use handshakes::handshakes;
pub use steady::{Latencies, steady};
