//! The lines of a file before it is written.

use fhir::Reference;
use fhir::ResourceType;
use fhir::bulk_export::FileContent;
use fhir::bulk_export::FileIndex;
use fhir::bulk_export::IndexedRecord;
use fhir::bulk_export::ndjson_line;
use fhir::bulk_export::unopened_line;
use phi::Owner;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::limits::MAX_EXPORT_FILE_BYTES;
use crate::limits::MAX_EXPORT_FILE_RESOURCES;
use crate::services::budget::Reservation;
use crate::services::error::ServiceError;
use crate::services::records::StoredResource;

/// The lines of a file, with the records that they are about.
#[derive(Debug)]
pub(super) struct FileLines {
    /// What the lines are.
    pub(super) content: FileContent,
    /// The records.
    pub(super) index: FileIndex,
    /// The lines.
    pub(super) lines: Vec<Zeroizing<Vec<u8>>>,
}

/// The resources of one type that were read for a file, and those that could not be opened.
#[derive(Debug)]
pub(super) struct FileBuilder {
    resource_type: ResourceType,
    resources: FileLines,
    outcomes: FileLines,
    bytes: usize,
    reserved: Reservation,
}

impl FileLines {
    const fn new(content: FileContent, resource_type: ResourceType) -> Self {
        Self {
            content,
            index: FileIndex::new(resource_type),
            lines: Vec::new(),
        }
    }

    fn push(&mut self, record: IndexedRecord, line: Zeroizing<Vec<u8>>) {
        self.index.push(record);
        self.lines.push(line);
    }
}

impl FileBuilder {
    /// A builder without lines.
    pub(super) const fn new(resource_type: ResourceType, reserved: Reservation) -> Self {
        Self {
            resource_type,
            resources: FileLines::new(FileContent::Resources(resource_type), resource_type),
            outcomes: FileLines::new(FileContent::Outcomes, resource_type),
            bytes: 0,
            reserved,
        }
    }

    /// Whether there are any lines.
    pub(super) const fn has_lines(&self) -> bool {
        !self.resources.lines.is_empty() || !self.outcomes.lines.is_empty()
    }

    /// Whether there is no room for another resource.
    pub(super) const fn is_full(&self) -> bool {
        self.resources.lines.len() >= MAX_EXPORT_FILE_RESOURCES
            || self.outcomes.lines.len() >= MAX_EXPORT_FILE_RESOURCES
            || self.bytes >= MAX_EXPORT_FILE_BYTES
    }

    /// Adds the line of a resource.
    pub(super) fn add(&mut self, id: Uuid, stored: StoredResource) {
        let record = IndexedRecord {
            id,
            version: u32::try_from(stored.meta.version).ok(),
            patient: match stored.owner {
                Owner::Patient(patient) => Some(patient.uuid()),
                Owner::Organization | Owner::AuditYear(_) | Owner::System => None,
            },
        };
        let line = ndjson_line(stored.resource, stored.meta);
        let mut reserved = stored.reserved;
        reserved.shrink_to(line.len());
        self.reserved.absorb(reserved);
        self.bytes = self.bytes.saturating_add(line.len());
        self.resources.push(record, line);
    }

    /// Adds an outcome about a resource that could not be opened. Its owner is unknown.
    ///
    /// # Errors
    ///
    /// The caller's memory budget is exhausted.
    pub(super) fn add_unopened(&mut self, id: Uuid) -> Result<(), ServiceError> {
        let resource_type = self.resource_type;
        let line = unopened_line(Reference { resource_type, id });
        self.reserved.grow(line.len())?;
        let record = IndexedRecord {
            id,
            version: None,
            patient: None,
        };
        self.outcomes.push(record, line);
        Ok(())
    }

    /// The files: of resources, and of outcomes, if there are any. The memory is that of all of them.
    pub(super) fn finish(self) -> (Vec<FileLines>, Reservation) {
        let mut files = vec![self.resources, self.outcomes];
        files.retain(|file| !file.lines.is_empty());
        (files, self.reserved)
    }
}
