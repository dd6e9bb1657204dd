//! Beginning anew.

use std::fs;

use anyhow::{Context, bail};

use crate::home::Home;
use crate::lock::Lock;

/// Removes a stack's folder with everything in it.
///
/// # Errors
/// When a stack runs there, or the folder is not one of ours.
pub fn reset(home: &Home) -> anyhow::Result<()> {
    if !home.root().exists() {
        return Ok(());
    }
    if !home.lock().is_file() {
        bail!(
            "{} does not look like a stack's folder, so it is not removed",
            home.root().display()
        );
    }
    let _lock = Lock::take(home)?;
    fs::remove_dir_all(home.root())
        .with_context(|| format!("{} cannot be removed", home.root().display()))
}
