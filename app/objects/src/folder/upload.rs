//! Uploads to a folder: a hidden file beside the object, which gets the object's name when it is complete.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;

use async_trait::async_trait;

use super::is_absent;
use super::make_folder;
use super::prune;
use super::remove_if_there;
use super::sync_parent;
use crate::blocking::blocking;
use crate::ciphertext::Ciphertext;
use crate::error::PutError;
use crate::name::MAX_SEGMENTS;
use crate::name::is_segment;
use crate::store::MAX_OBJECT_BYTES;
use crate::store::PutMode;
use crate::store::Upload;

/// The mode of files: their owner only.
const FILE_MODE: u32 = 0o600;
/// Attempts to make a file in a folder that others remove because it is empty.
const ATTEMPTS: usize = 16;
/// The first character of a hidden file, which no segment of a name begins with.
const HIDDEN: &str = ".";

/// An upload. Dropping it removes its file.
pub(super) struct FolderUpload {
    /// None after an error, and during a write: an upload whose write failed cannot be committed.
    file: Option<File>,
    hidden: HiddenFile,
    target: PathBuf,
    mode: PutMode,
    written: u64,
}

/// The file of an upload, removed on drop.
struct HiddenFile {
    path: PathBuf,
    root: PathBuf,
}

impl FolderUpload {
    /// Makes the folders and the hidden file of an object at `target`.
    pub(super) fn begin(root: &Path, target: PathBuf, mode: PutMode) -> Result<Self, PutError> {
        let folder = target.parent().unwrap_or(root);
        let path = folder.join(format!(
            "{HIDDEN}{}",
            hex::encode(phi_types::random_bytes::<16>())
        ));
        let mut options = File::options();
        options.write(true).create_new(true).mode(FILE_MODE);
        let mut attempt = 0;
        let file = loop {
            let opened = make_folders(root, folder).and_then(|()| options.open(&path));
            attempt += 1;
            match opened {
                Ok(file) => break file,
                // The folder was empty when another caller deleted its last object.
                Err(error) if error.kind() == io::ErrorKind::NotFound && attempt < ATTEMPTS => {}
                Err(error) => return Err(error.into()),
            }
        };
        let root = root.to_owned();
        Ok(Self {
            file: Some(file),
            hidden: HiddenFile { path, root },
            target,
            mode,
            written: 0,
        })
    }

    /// Counts bytes that were not written, to test the maximum.
    #[cfg(test)]
    pub(super) const fn pretend_written(&mut self, bytes: u64) {
        self.written = bytes;
    }

    fn complete(mut self) -> Result<u64, PutError> {
        let file = self.file.take().ok_or_else(write_failed)?;
        file.sync_all()?;
        match self.mode {
            // A link, because renaming replaces what has the name.
            PutMode::Create => fs::hard_link(&self.hidden.path, &self.target)?,
            PutMode::Replace => fs::rename(&self.hidden.path, &self.target)?,
        }
        // The folder is synchronized after the hidden name is removed, so that a crash leaves one name, not two.
        remove_if_there(&self.hidden.path)?;
        sync_parent(&self.target)?;
        Ok(self.written)
    }
}

#[async_trait]
impl Upload for FolderUpload {
    async fn write(&mut self, bytes: Ciphertext) -> Result<(), PutError> {
        let mut file = self.file.take().ok_or_else(write_failed)?;
        let length = u64::try_from(bytes.bytes().len()).unwrap_or(u64::MAX);
        let written = self.written.saturating_add(length);
        if written > MAX_OBJECT_BYTES {
            return Err(PutError::TooLarge);
        }
        let file = blocking(move || -> Result<File, PutError> {
            file.write_all(bytes.bytes())?;
            Ok(file)
        });
        self.file = Some(file.await?);
        self.written = written;
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<u64, PutError> {
        blocking(move || self.complete()).await
    }

    async fn abort(self: Box<Self>) {}
}

impl Drop for HiddenFile {
    fn drop(&mut self) {
        if fs::remove_file(&self.path).is_ok() {
            prune(&self.root, &self.path);
        }
    }
}

fn write_failed() -> PutError {
    PutError::Unavailable(io::Error::other("a write of this upload failed"))
}

/// Makes the folders from `root` to `folder`.
fn make_folders(root: &Path, folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut path = root.to_owned();
    let below = folder.strip_prefix(root).map_err(io::Error::other)?;
    for component in below.components() {
        path.push(component);
        make_folder(&path)?;
    }
    Ok(())
}

/// Removes the hidden files that were written to for the last time before `before`. Returns their number.
pub(super) fn remove_abandoned(root: &Path, before: SystemTime) -> io::Result<u64> {
    let mut removed = 0_u64;
    let mut folders = vec![(root.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if is_absent(&error) => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let kind = entry.file_type()?;
            let is_reachable = depth < MAX_SEGMENTS && name.to_str().is_some_and(is_segment);
            if kind.is_dir() && is_reachable {
                folders.push((entry.path(), depth + 1));
            } else if kind.is_file() && is_hidden(&name) && is_older(&entry, before)? {
                remove_if_there(&entry.path())?;
                prune(root, &entry.path());
                removed = removed.saturating_add(1);
            }
        }
    }
    Ok(removed)
}

fn is_hidden(name: &std::ffi::OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(HIDDEN))
}

fn is_older(entry: &fs::DirEntry, before: SystemTime) -> io::Result<bool> {
    match entry.metadata() {
        Ok(metadata) => Ok(metadata.modified()? < before),
        Err(error) if is_absent(&error) => Ok(false),
        Err(error) => Err(error),
    }
}
