//! The programs of this build.

use std::env;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::ensure;

/// The path of a program: in the folder `STACK_BIN_DIR`, or in cargo's output folder of these
/// tests.
///
/// # Errors
/// When it is missing; the message states how to build it.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    let named = env::var_os("STACK_BIN_DIR").filter(|folder| !folder.is_empty());
    let folder = match named {
        Some(folder) => PathBuf::from(folder),
        None => env::current_exe()?
            .ancestors()
            .nth(2)
            .context("the test program has no folder")?
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
