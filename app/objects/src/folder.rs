//! A store in a folder of a local or shared file system.

use std::fs;
use std::fs::DirBuilder;
use std::fs::File;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use nix::fcntl::OFlag;
use time::OffsetDateTime;

use crate::blocking::blocking;
use crate::error::GetError;
use crate::error::PutError;
use crate::error::StoreUnavailable;
use crate::name::ObjectName;
use crate::name::ObjectPrefix;
use crate::store::MAX_PAGE;
use crate::store::MAX_READ_BYTES;
use crate::store::ObjectPage;
use crate::store::ObjectReader;
use crate::store::ObjectStore;
use crate::store::PutMode;
use crate::store::Upload;

mod list;
mod upload;

/// The mode of folders: their owner only.
const FOLDER_MODE: u32 = 0o700;
/// The mode bits of other users, of which the store's folder may have none.
const OTHER_USERS: u32 = 0o077;

/// An object store in a folder. An object's path below it is the object's name; a hidden file is an upload.
///
/// Instances on several machines may share the folder, if its file system has atomic hard links and renames (NFS does).
#[derive(Clone, Debug)]
pub struct FolderStore {
    root: Arc<Path>,
}

/// A folder is not a store.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The path leads to something else.
    #[error("the path of the object store is not a folder")]
    NotAFolder,
    /// Other users have rights on it.
    #[error("the folder of the object store is open to other users: its mode must be 0700")]
    NotPrivate,
    /// It cannot be made or read.
    #[error("the folder of the object store cannot be opened")]
    Unavailable(#[from] io::Error),
}

impl FolderStore {
    /// The store in a folder, which is made with mode 0700 if it is missing. Its parent must be there.
    ///
    /// # Errors
    ///
    /// The path is no folder, or one that other users have rights on, or it cannot be made.
    pub async fn open_folder(root: &Path) -> Result<Self, FolderError> {
        let root: Arc<Path> = root.into();
        blocking(move || {
            make_folder(&root)?;
            let metadata = fs::metadata(&root)?;
            if !metadata.is_dir() {
                return Err(FolderError::NotAFolder);
            }
            if metadata.permissions().mode() & OTHER_USERS != 0 {
                return Err(FolderError::NotPrivate);
            }
            Ok(Self { root })
        })
        .await
    }

    /// The path of an object.
    fn path(&self, name: &ObjectName) -> PathBuf {
        let mut path = self.root.to_path_buf();
        path.extend(name.segments());
        path
    }
}

#[async_trait]
impl ObjectStore for FolderStore {
    async fn begin(&self, name: &ObjectName, mode: PutMode) -> Result<Box<dyn Upload>, PutError> {
        let (root, target) = (Arc::clone(&self.root), self.path(name));
        blocking(move || {
            let upload: Box<dyn Upload> =
                Box::new(upload::FolderUpload::begin(&root, target, mode)?);
            Ok(upload)
        })
        .await
    }

    async fn open(&self, name: &ObjectName) -> Result<Box<dyn ObjectReader>, GetError> {
        let path = self.path(name);
        blocking(move || {
            let mut options = File::options();
            options.read(true).custom_flags(OFlag::O_NOFOLLOW.bits());
            let file = options.open(path)?;
            let metadata = file.metadata()?;
            if !metadata.is_file() {
                return Err(GetError::NotFound);
            }
            let (file, size) = (Arc::new(file), metadata.len());
            let reader: Box<dyn ObjectReader> = Box::new(OpenFile { file, size });
            Ok(reader)
        })
        .await
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), StoreUnavailable> {
        let (root, path) = (Arc::clone(&self.root), self.path(name));
        blocking(move || {
            if !path.is_dir() {
                remove_if_there(&path)?;
                sync_parent(&path)?;
            }
            prune(&root, &path);
            Ok(())
        })
        .await
    }

    async fn list(
        &self,
        prefix: &ObjectPrefix,
        after: Option<&ObjectName>,
        limit: u16,
    ) -> Result<ObjectPage, StoreUnavailable> {
        let (root, prefix, after) = (Arc::clone(&self.root), prefix.clone(), after.cloned());
        let limit = usize::from(limit.min(MAX_PAGE));
        blocking(move || Ok(list::page(&root, prefix, after, limit)?)).await
    }

    async fn remove_abandoned(&self, before: OffsetDateTime) -> Result<u64, StoreUnavailable> {
        let root = Arc::clone(&self.root);
        blocking(move || Ok(upload::remove_abandoned(&root, before.into())?)).await
    }
}

/// A file that is open for reading. A file is complete when it gets its name, and never changed.
struct OpenFile {
    file: Arc<File>,
    size: u64,
}

#[async_trait]
impl ObjectReader for OpenFile {
    fn size(&self) -> u64 {
        self.size
    }

    async fn read(&self, start: u64, length: usize) -> Result<Bytes, GetError> {
        let rest = usize::try_from(self.size.saturating_sub(start)).unwrap_or(usize::MAX);
        let length = length.min(rest).min(MAX_READ_BYTES);
        let file = Arc::clone(&self.file);
        blocking(move || {
            let mut bytes = vec![0; length];
            file.read_exact_at(&mut bytes, start)?;
            Ok(bytes.into())
        })
        .await
    }
}

/// Makes a folder that is private from its first moment, durably, unless it is there.
fn make_folder(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(FOLDER_MODE).create(path) {
        Ok(()) => sync_parent(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes the entry of a path durable. A folder that has been removed needs nothing.
fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
    match File::open(parent.unwrap_or(Path::new("."))) {
        Ok(folder) => folder.sync_all(),
        Err(error) if is_absent(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if !is_absent(&error) => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Removes the folders above a path that are empty, up to the store's own. Failing is harmless: an empty folder is no
/// object.
fn prune(root: &Path, path: &Path) {
    let above = path.ancestors().skip(1);
    for folder in above.take_while(|it| *it != root && it.starts_with(root)) {
        if fs::remove_dir(folder).is_err() {
            return;
        }
    }
}

/// Whether a path has no entry, or a file stands in the place of one of its folders.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

#[cfg(test)]
mod tests;
