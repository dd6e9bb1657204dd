//! The files of exports in the object store: sealed under the organization's key in parts, the first of which is the index.
//!
//! An object's name consists of the time at which its export expires, the export, and the object's own id, to which its
//! parts are bound: `exports/1764460800/0b1c…/7d3e…`. So what has expired is found by its name, and no object is ever
//! written a second time.

use std::fmt;
use std::sync::Arc;

use fhir::bulk_export::ExportFile;
use fhir::bulk_export::FileId;
use fhir::bulk_export::FileIndex;
use fhir::bulk_export::PartSequence;
use objects::Ciphertext;
use objects::FrameError;
use objects::Frames;
use objects::GetError;
use objects::ObjectName;
use objects::ObjectPrefix;
use objects::ObjectStore;
use objects::PutError;
use objects::PutMode;
use objects::Upload;
use phi::OrganizationId;
use phi::Owner;
use phi::Requested;
use phi::RowId;
use phi::ScopeKey;
use phi::Sealed;
use phi::Tampering;
use phi::columns::ExportPart;
use time::OffsetDateTime;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::file::FileLines;
use crate::limits::EXPORT_PART_BYTES;
use crate::limits::MAX_RESPONSE_BYTES;
use crate::services::budget::Budget;
use crate::services::budget::CallerId;
use crate::services::budget::Reservation;
use crate::services::error::ServiceError;
use crate::services::keys::Keys;

/// The folder of all exports in the store.
pub(super) const FOLDER: &str = "exports";
/// The name of what is sealed in objects, in reports of tampering.
const TABLE: &str = "export_files";
/// Maximum length of a sealed part, in bytes: its padding adds an eighth at most.
const MAX_FRAME_BYTES: usize = EXPORT_PART_BYTES + EXPORT_PART_BYTES / 4;
/// Memory of a part while it is sealed or opened, in bytes: in the clear, sealed, and as it is stored.
const PART_MEMORY_BYTES: usize = 3 * MAX_FRAME_BYTES;

/// The object store with the keys of its files.
#[derive(Clone)]
pub(super) struct FileStore {
    store: Arc<dyn ObjectStore>,
    keys: Keys,
    memory: Budget,
}

/// The place of an export's files.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) organization: OrganizationId,
    pub(super) export: Uuid,
    pub(super) expires_at: OffsetDateTime,
}

/// The place of one file.
#[derive(Clone, Copy, Debug)]
pub(super) struct FilePlace {
    place: Place,
    object: Uuid,
}

/// The content of a file, with its memory.
#[derive(Debug)]
pub(crate) struct ExportedFile {
    /// The lines.
    pub(crate) lines: Zeroizing<Vec<u8>>,
    /// The memory of the lines.
    pub(crate) reserved: Reservation,
}

/// A file as it was read.
#[derive(Debug)]
pub(super) struct ReadFile {
    /// The records of its lines.
    pub(super) index: FileIndex,
    /// The lines.
    pub(super) content: ExportedFile,
}

impl Place {
    /// The name of the folder.
    fn folder(&self) -> Result<ObjectName, ServiceError> {
        let (expiry, export) = (self.expires_at.unix_timestamp(), self.export.simple());
        let name = format!("{FOLDER}/{expiry:010}/{export}").parse();
        name.map_err(ServiceError::internal)
    }

    /// The place of a file.
    pub(super) const fn file(self, object: Uuid) -> FilePlace {
        FilePlace {
            place: self,
            object,
        }
    }
}

impl FilePlace {
    fn name(&self) -> Result<ObjectName, ServiceError> {
        let (folder, object) = (self.place.folder()?, self.object.simple());
        let name = format!("{folder}/{object}").parse();
        name.map_err(ServiceError::internal)
    }

    /// Reports that the file is not as it was written.
    pub(super) fn tampered(&self, reason: &'static str) -> ServiceError {
        let object = Some(self.object);
        Tampering::report(TABLE, reason, self.place.organization, object).into()
    }
}

impl FileStore {
    /// Files in `store`.
    pub(super) const fn new(store: Arc<dyn ObjectStore>, keys: Keys, memory: Budget) -> Self {
        Self {
            store,
            keys,
            memory,
        }
    }

    /// The object store.
    pub(super) fn objects(&self) -> &dyn ObjectStore {
        &*self.store
    }

    /// Writes a file as a new object.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Unavailable`] if the store or the key is unavailable, or the caller's memory budget is exhausted.
    pub(super) async fn write(
        &self,
        place: &Place,
        id: FileId,
        file: &FileLines,
        caller: CallerId,
    ) -> Result<ExportFile, ServiceError> {
        let _reserved = self.memory.reserve(caller, PART_MEMORY_BYTES)?;
        let owner = Owner::of_organization(place.organization);
        let scope = self.keys.scope(place.organization, owner).await?;
        let object = RowId::random();
        let name = place.file(object.uuid()).name()?;
        let upload = self.store.begin(&name, PutMode::Create).await;
        let mut writer = PartWriter {
            scope: &scope,
            object,
            sequence: PartSequence::new(id),
            upload: upload.map_err(unavailable)?,
        };
        writer.write(&file.index.encode(), false).await?;
        let mut parts = Parts::of(&file.lines);
        while let Some((part, is_last)) = parts.next() {
            writer.write(&part, is_last).await?;
        }
        writer.upload.commit().await.map_err(unavailable)?;
        Ok(ExportFile {
            content: file.content,
            count: u32::try_from(file.lines.len()).unwrap_or(u32::MAX),
            object: object.uuid(),
        })
    }

    /// Reads a file; none if the store does not have it.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Internal`] for one that is not as it was written, which is reported.
    pub(super) async fn read(
        &self,
        place: &FilePlace,
        id: FileId,
        caller: CallerId,
    ) -> Result<Option<ReadFile>, ServiceError> {
        let reader = match self.store.open(&place.name()?).await {
            Err(GetError::NotFound) => return Ok(None),
            reader => reader.map_err(ServiceError::unavailable)?,
        };
        let size = usize::try_from(reader.size()).unwrap_or(usize::MAX);
        if size > 2 * MAX_RESPONSE_BYTES {
            return Err(place.tampered("a file of an export is too long"));
        }
        let reserved = self.memory.reserve(caller, size)?;
        let _part = self.memory.reserve(caller, PART_MEMORY_BYTES)?;
        let mut frames = Frames::new(reader, MAX_FRAME_BYTES);
        let mut sequence = PartSequence::new(id);
        // With room for all lines, because a buffer that grows leaves copies behind.
        let mut lines = Zeroizing::new(Vec::with_capacity(size));
        let mut index = None;
        while let Some(part) = next_frame(place, &mut frames).await? {
            let part = self.keys.open(requested(place), &part).await?;
            let part = sequence.read(part.expose());
            let wrong = |_wrong| place.tampered("a part of an exported file is not the next one");
            let part = part.map_err(wrong)?;
            if index.is_some() {
                lines.extend_from_slice(part);
            } else {
                let decoded = FileIndex::decode(part);
                let malformed =
                    |_malformed| place.tampered("the index of an exported file is malformed");
                index = Some(decoded.map_err(malformed)?);
            }
        }
        match index.filter(|_| sequence.is_complete()) {
            Some(index) => Ok(Some(ReadFile {
                index,
                content: ExportedFile { lines, reserved },
            })),
            None => Err(place.tampered("an exported file was cut off")),
        }
    }

    /// Deletes a file.
    ///
    /// # Errors
    ///
    /// The store is unavailable.
    pub(super) async fn delete(&self, place: &FilePlace) -> Result<(), ServiceError> {
        let deleted = self.store.delete(&place.name()?).await;
        deleted.map_err(ServiceError::unavailable)
    }

    /// Deletes all files of an export.
    ///
    /// # Errors
    ///
    /// The store is unavailable.
    pub(super) async fn delete_all(&self, place: &Place) -> Result<(), ServiceError> {
        let prefix = ObjectPrefix::below(&place.folder()?);
        let deleted = self.store.delete_all(&prefix).await;
        deleted.map(drop).map_err(ServiceError::unavailable)
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").finish_non_exhaustive()
    }
}

/// The writer of a file's parts.
struct PartWriter<'w> {
    scope: &'w ScopeKey,
    object: RowId,
    sequence: PartSequence,
    upload: Box<dyn Upload>,
}

impl PartWriter<'_> {
    async fn write(&mut self, content: &[u8], is_last: bool) -> Result<(), ServiceError> {
        let part = self.sequence.write(content, is_last);
        let part = part.map_err(ServiceError::internal)?;
        let sealed: Sealed<ExportPart> = self.scope.seal(self.object, &*part)?;
        let frame = Ciphertext::framed(&sealed).map_err(ServiceError::internal)?;
        self.upload.write(frame).await.map_err(unavailable)
    }
}

/// Lines in parts of at most [`EXPORT_PART_BYTES`]: a long line has several.
struct Parts<'l> {
    lines: std::slice::Iter<'l, Zeroizing<Vec<u8>>>,
    /// The rest of the current line.
    rest: &'l [u8],
}

impl<'l> Parts<'l> {
    fn of(lines: &'l [Zeroizing<Vec<u8>>]) -> Self {
        Self {
            lines: lines.iter(),
            rest: &[],
        }
    }

    /// The next part, and whether it is the last one.
    fn next(&mut self) -> Option<(Zeroizing<Vec<u8>>, bool)> {
        let mut part = Zeroizing::new(Vec::with_capacity(EXPORT_PART_BYTES));
        while part.len() < EXPORT_PART_BYTES {
            if self.rest.is_empty() {
                let Some(line) = self.lines.next() else { break };
                self.rest = line;
            }
            let room = EXPORT_PART_BYTES.saturating_sub(part.len());
            let (now, later) = self.rest.split_at(room.min(self.rest.len()));
            part.extend_from_slice(now);
            self.rest = later;
        }
        let is_last = self.rest.is_empty() && self.lines.as_slice().is_empty();
        (!part.is_empty()).then_some((part, is_last))
    }
}

fn requested(place: &FilePlace) -> Requested {
    let organization = place.place.organization;
    Requested {
        organization,
        owner: Owner::of_organization(organization),
        row: RowId::from(place.object),
    }
}

async fn next_frame(
    place: &FilePlace,
    frames: &mut Frames,
) -> Result<Option<Sealed<ExportPart>>, ServiceError> {
    frames.next().await.map_err(|error| match error {
        FrameError::Malformed => place.tampered("an exported file has a malformed part"),
        FrameError::Get(error) => ServiceError::unavailable(error),
    })
}

fn unavailable(error: PutError) -> ServiceError {
    ServiceError::unavailable(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts_of(lines: &[usize]) -> Vec<(usize, bool)> {
        let lines: Vec<_> = lines
            .iter()
            .map(|it| Zeroizing::new(vec![b'x'; *it]))
            .collect();
        let mut parts = Parts::of(&lines);
        std::iter::from_fn(|| parts.next())
            .map(|(part, is_last)| (part.len(), is_last))
            .collect()
    }

    #[test]
    fn parts_are_full_until_the_last_one_which_is_marked() {
        let full = EXPORT_PART_BYTES;
        for (lines, expected) in [
            (vec![3, 4], vec![(7, true)]),
            (vec![full], vec![(full, true)]),
            (vec![full - 1, 2], vec![(full, false), (1, true)]),
            (
                vec![2 * full + 5, 1],
                vec![(full, false), (full, false), (6, true)],
            ),
        ] {
            assert_eq!(parts_of(&lines), expected);
        }
    }

    #[test]
    fn an_object_is_named_by_expiry_export_and_its_own_id() {
        let place = Place {
            organization: OrganizationId::SYSTEM,
            export: Uuid::from_u128(7),
            expires_at: time::macros::datetime!(2026-11-30 12:00 UTC),
        };
        let name = place.file(Uuid::from_u128(8)).name().unwrap();
        assert_eq!(
            name.as_str(),
            "exports/1796040000/00000000000000000000000000000007/00000000000000000000000000000008"
        );
    }
}
