//! The interface to an object store.

use async_trait::async_trait;
use bytes::Bytes;
use time::OffsetDateTime;

use crate::ciphertext::Ciphertext;
use crate::error::GetError;
use crate::error::PutError;
use crate::error::StoreUnavailable;
use crate::name::ObjectName;
use crate::name::ObjectPrefix;

/// Maximum length of an object, in bytes: 64 GiB, 10,000 parts of an S3 upload at 8 MiB with room to spare.
pub const MAX_OBJECT_BYTES: u64 = 64 << 30;
/// Maximum bytes of one read: what a caller holds in memory.
pub const MAX_READ_BYTES: usize = 8 << 20;
/// Maximum objects of one page of a list, as S3 has it.
pub const MAX_PAGE: u16 = 1_000;

/// A store of immutable objects under names, behind one interface: a folder now, and S3.
///
/// An object is there whole or not at all, whatever is killed. Everything else about it is its user's business: see the
/// README for what a store does not protect.
#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// Begins an upload. The object appears under its name with [`Upload::commit`].
    ///
    /// # Errors
    ///
    /// The name is taken by a folder, or the store is full or unavailable. Whether the name has an object already is
    /// decided by the commit.
    async fn begin(&self, name: &ObjectName, mode: PutMode) -> Result<Box<dyn Upload>, PutError>;

    /// Opens an object for reading, at the version that it has now.
    ///
    /// # Errors
    ///
    /// There is no such object, or the store is unavailable.
    async fn open(&self, name: &ObjectName) -> Result<Box<dyn ObjectReader>, GetError>;

    /// Deletes an object, durably. An object that is not there is no error. Readers that are open may read on.
    ///
    /// # Errors
    ///
    /// The store is unavailable.
    async fn delete(&self, name: &ObjectName) -> Result<(), StoreUnavailable>;

    /// The objects whose names begin with a prefix and are greater than `after`, in ascending order of the names' bytes:
    /// at most `limit` of them and at most [`MAX_PAGE`].
    ///
    /// # Errors
    ///
    /// The store is unavailable.
    async fn list(
        &self,
        prefix: &ObjectPrefix,
        after: Option<&ObjectName>,
        limit: u16,
    ) -> Result<ObjectPage, StoreUnavailable>;

    /// Removes what uploads left that were neither committed nor aborted, and that wrote nothing since `before`. Returns
    /// the number of uploads removed. An upload that is still written to after that fails at its commit.
    ///
    /// # Errors
    ///
    /// The store is unavailable.
    async fn remove_abandoned(&self, before: OffsetDateTime) -> Result<u64, StoreUnavailable>;

    /// Stores an object that is in memory.
    ///
    /// # Errors
    ///
    /// As of [`ObjectStore::begin`] and [`Upload::commit`].
    async fn put(
        &self,
        name: &ObjectName,
        mode: PutMode,
        bytes: Ciphertext,
    ) -> Result<(), PutError> {
        let mut upload = self.begin(name, mode).await?;
        if let Err(error) = upload.write(bytes).await {
            upload.abort().await;
            return Err(error);
        }
        upload.commit().await.map(drop)
    }

    /// Deletes all objects whose names begin with a prefix. Returns their number.
    ///
    /// # Errors
    ///
    /// The store is unavailable; some objects may be deleted.
    async fn delete_all(&self, prefix: &ObjectPrefix) -> Result<u64, StoreUnavailable> {
        let mut deleted = 0_u64;
        let mut after = None;
        loop {
            let page = self.list(prefix, after.as_ref(), MAX_PAGE).await?;
            for object in &page.objects {
                self.delete(&object.name).await?;
                deleted = deleted.saturating_add(1);
            }
            after = page.next;
            if after.is_none() {
                return Ok(deleted);
            }
        }
    }
}

/// An object that is being written. Dropping it leaves nothing under the name.
#[async_trait]
pub trait Upload: Send {
    /// Appends bytes.
    ///
    /// # Errors
    ///
    /// The object is too large, or the store is full or unavailable. The upload cannot go on after an error.
    async fn write(&mut self, bytes: Ciphertext) -> Result<(), PutError>;

    /// Makes the object appear under its name, durably. Returns its length in bytes.
    ///
    /// # Errors
    ///
    /// The name is taken, the store is full or unavailable, or a write failed before. A future that is dropped before
    /// its end may have committed.
    async fn commit(self: Box<Self>) -> Result<u64, PutError>;

    /// Gives the upload up and releases what it holds in the store, as far as that is possible now;
    /// [`ObjectStore::remove_abandoned`] removes the rest.
    async fn abort(self: Box<Self>);
}

/// One version of an object, open for reading. An object that replaces it under its name is not seen.
#[async_trait]
pub trait ObjectReader: Send + Sync {
    /// The object's length, in bytes.
    fn size(&self) -> u64;

    /// The bytes from `start`: `length` of them and at most [`MAX_READ_BYTES`], fewer only at the object's end, and none
    /// behind it.
    ///
    /// # Errors
    ///
    /// The store is unavailable, or the object is gone or shorter than it was.
    async fn read(&self, start: u64, length: usize) -> Result<Bytes, GetError>;
}

/// What an upload does to an object that has the name already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutMode {
    /// It fails. Of several uploads at once, one succeeds.
    Create,
    /// It replaces the object, at once and whole.
    Replace,
}

/// An object in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectMetadata {
    /// Its name.
    pub name: ObjectName,
    /// Its length, in bytes.
    pub size: u64,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectPage {
    /// The objects, in ascending order of their names.
    pub objects: Vec<ObjectMetadata>,
    /// The name after which the next page begins; none if there are no more objects.
    pub next: Option<ObjectName>,
}
