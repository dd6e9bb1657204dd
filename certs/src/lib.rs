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

// `listener` compiles `testing` into its own tests, where this crate is named `certs`.
#[cfg(test)]
extern crate self as certs;

pub use anchors::TrustAnchors;
pub use identity::Identity;
pub use identity::IdentityFiles;
pub use load::LoadError;
pub use mutual::MutualClient;
pub use mutual::MutualConnection;
pub use mutual::MutualError;
pub use mutual::MutualFiles;
pub use mutual::MutualServer;
pub use peer::PeerError;
pub use peer::PeerIdentity;
pub use policy::PolicyError;
pub use policy::Versions;
pub use process::Memory;
pub use process::protect_memory;
pub use public::PublicServer;
pub use reload::Reloading;
pub use reload::Reloads;
pub use reload::WatchError;
pub use spiffe::SpiffeId;
pub use spiffe::SpiffeIdError;
