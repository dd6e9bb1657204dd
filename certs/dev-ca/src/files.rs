//! Reading and atomically replacing the files of certificates and keys.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::IssueError;

/// The read permission of a file.
#[derive(Clone, Copy)]
pub(super) enum Readable {
    ByAll,
    ByOwner,
}

/// Replaces the file `dir/name` atomically: a reader finds the old or the new text.
pub(super) fn replace(
    dir: &Path,
    name: &str,
    text: &str,
    readable: Readable,
) -> Result<(), IssueError> {
    let path = dir.join(name);
    let failed = |source| IssueError::File {
        path: path.clone(),
        source,
    };
    let temporary = dir.join(format!(".{name}.new"));
    let mode = match readable {
        Readable::ByAll => 0o644,
        Readable::ByOwner => 0o600,
    };
    fs::create_dir_all(dir).map_err(failed)?;
    // A file left behind by an interrupted run may have another mode.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&temporary)
        .map_err(failed)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed)?;
    fs::rename(&temporary, &path).map_err(failed)
}

/// Reads the file `dir/name`; `None` if it does not exist.
pub(super) fn read(dir: &Path, name: &str) -> Result<Option<String>, IssueError> {
    let path = dir.join(name);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(IssueError::File { path, source }),
    }
}
