//! `cargo stack reset`: the removal of a stack's folder.

use std::fs;

use anyhow::Context;
use anyhow::bail;

use crate::home::Home;
use crate::lock::Lock;
use crate::state::State;

/// Removes a stack's folder with everything in it.
///
/// # Errors
/// When a stack runs there, or the folder is not that of a stack.
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
    home.check_contents()?;
    let _lock = Lock::take(home)?;
    if State::read(home)?.is_some_and(|state| state.is_alive()) {
        bail!("processes of this stack still run: stop them with `cargo stack down` first");
    }
    // Of a symbolic link, the folder that it leads to.
    let folder = fs::canonicalize(home.root())
        .with_context(|| format!("{} cannot be read", home.root().display()))?;
    fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be removed", folder.display()))
}
