//! The repository's folder and the machine-wide cache.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;

/// The root of the repository: the nearest folder upwards that holds this crate, or the one this
/// binary was built from.
///
/// # Errors
/// When neither is there.
pub fn root() -> anyhow::Result<PathBuf> {
    let here = env::current_dir().context("the current folder cannot be read")?;
    if let Some(found) = here.ancestors().find(|folder| is_root(folder)) {
        return Ok(found.to_path_buf());
    }
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    built_from
        .filter(|folder| is_root(folder))
        .map(Path::to_path_buf)
        .context("not inside the repository: change into the folder you cloned and try again")
}

fn is_root(folder: &Path) -> bool {
    folder.join("infra/stack/Cargo.toml").is_file() && folder.join("Cargo.toml").is_file()
}

/// The folder for what is expensive to fetch and the same for every stack of this machine:
/// `$XDG_CACHE_HOME/<product>` or `~/.cache/<product>`.
///
/// # Errors
/// When the user has no home folder.
pub fn cache() -> anyhow::Result<PathBuf> {
    let base = env::var_os("XDG_CACHE_HOME")
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cache")))
        .context("no home folder is known: set XDG_CACHE_HOME to a folder for downloads")?;
    Ok(base.join(product::NAME))
}

/// The cargo that started this process, or the one on the path.
#[must_use]
pub fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
