//! Folders that only their owner can enter.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use anyhow::Context;

/// Makes a folder, with its parents, that only its owner can enter.
///
/// # Errors
/// When it cannot be made; names it.
pub fn create_private_folder(path: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("the folder {} cannot be made", path.display()))
}
