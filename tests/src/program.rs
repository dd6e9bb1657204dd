//! Where the programs of this build are.

use std::env;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::ensure;

/// A program: in the folder that `STACK_BIN_DIR` names, or where cargo puts what it builds beside these
/// tests.
///
/// # Errors
/// When it is not there: says how to build it.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    let named = env::var_os("STACK_BIN_DIR").filter(|folder| !folder.is_empty());
    let folder = match named {
        Some(folder) => PathBuf::from(folder),
        None => env::current_exe()?
            .ancestors()
            .nth(2)
            .context("these tests are in no folder")?
            .to_path_buf(),
    };
    let program = folder.join(name);
    ensure!(
        program.is_file(),
        "{} is missing: build it with `cargo build --bin {name}`, or let STACK_BIN_DIR name its folder",
        program.display()
    );
    Ok(program)
}
