#![doc = include_str!("../README.md")]

mod anchors;
mod identity;
mod load;
mod mutual;
mod peer;
pub mod policy;
mod process;
mod public;
mod reload;
mod spiffe;
#[cfg(test)]
mod testing;

// The tests of `listener` use `testing` too, where this crate is `certs`.
#[cfg(test)]
extern crate self as certs;

pub use anchors::TrustAnchors;
pub use identity::{Identity, IdentityFiles};
pub use load::LoadError;
pub use mutual::{MutualClient, MutualConnection, MutualError, MutualFiles, MutualServer};
pub use peer::{PeerError, PeerIdentity};
pub use policy::{PolicyError, Versions};
pub use process::{Memory, protect_memory};
pub use public::PublicServer;
pub use reload::{Reloading, Reloads, WatchError};
pub use spiffe::{SpiffeId, SpiffeIdError};
