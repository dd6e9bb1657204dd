//! Folders of the cache that are made once on a machine.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;

use crate::create_private_folder;
use crate::workspace;

/// The mark of a folder that was made to its end.
const COMPLETE: &str = "complete";

/// A folder of the cache, made by `make` if it is missing. A lock file keeps two processes from making it at the same
/// time; a folder whose making was interrupted is made again.
///
/// # Errors
/// When the cache folder cannot be written, or `make` fails.
pub fn once(name: &str, make: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<PathBuf> {
    let cache = workspace::cache()?;
    let folder = cache.join(name);
    create_private_folder(&cache)?;
    // Held until it is dropped.
    let _making = fs::File::create(cache.join(format!("{name}.lock")))
        .and_then(|file| file.lock().map(|()| file))
        .with_context(|| format!("{} cannot be locked", folder.display()))?;
    if folder.join(COMPLETE).is_file() {
        return Ok(folder);
    }
    let _ = fs::remove_dir_all(&folder);
    let outcome = make(&folder).and_then(|()| {
        fs::write(folder.join(COMPLETE), "")
            .with_context(|| format!("{} cannot be written", folder.display()))
    });
    if outcome.is_err() {
        let _ = fs::remove_dir_all(&folder);
    }
    outcome.map(|()| folder)
}
