#![doc = include_str!("../README.md")]

pub mod issue;
mod spiffe;

pub use spiffe::{SpiffeId, SpiffeIdError};
