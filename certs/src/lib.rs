#![doc = include_str!("../README.md")]

mod anchors;
mod client;
mod identity;
pub mod issue;
pub mod listener;
mod load;
mod peer;
pub mod policy;
mod process;
mod reload;
mod server;
mod spiffe;
#[cfg(test)]
mod testing;

pub use anchors::TrustAnchors;
pub use client::{ConnectError, MutualClient};
pub use identity::{Identity, IdentityFiles};
pub use load::LoadError;
pub use peer::{PeerError, PeerIdentity};
pub use policy::{PolicyError, Versions};
pub use process::{Memory, protect_memory};
pub use reload::{Reloading, Reloads, WatchError};
pub use server::{MutualFiles, MutualServer, PublicServer};
pub use spiffe::{SpiffeId, SpiffeIdError};
