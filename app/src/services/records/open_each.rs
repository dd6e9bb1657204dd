//! Opening of stored resources in order, in batches whose memory is reserved first.

use std::collections::HashMap;

use fhir::Reference;
use phi::Tampering;

use super::Records;
use super::damage::undamaged;
use super::open::OpenVersion;
use super::open::StoredResource;
use super::reader::Reader;
use super::resource_key;
use crate::limits::MAX_COMPARED_RESOURCES;
use crate::limits::RESOURCES_PER_STATEMENT;
use crate::services::error::ServiceError;

/// The result of opening the current version of one resource.
pub(super) enum Opened {
    /// The resource.
    Live(StoredResource),
    /// The resource was deleted.
    Deleted,
    /// The resource cannot be opened, which was reported.
    Damaged,
}

impl Records {
    /// Opens stored resources, and calls `visit` with each, in their order. Stops when it returns false.
    pub(super) async fn open_each(
        &self,
        reader: Reader<'_>,
        references: &[Reference],
        mut visit: impl FnMut(Reference, Opened) -> bool,
    ) -> Result<(), ServiceError> {
        for references in references.chunks(MAX_COMPARED_RESOURCES) {
            let keys = references.iter();
            let keys: Vec<_> = keys
                .map(|it| resource_key(it.resource_type, it.id))
                .collect();
            let batches = self.key_batches(reader.organization, &keys, RESOURCES_PER_STATEMENT);
            for batch in batches.await? {
                let references = references.get(batch.range.clone()).unwrap_or_default();
                let sealed = self.read_readable(reader, &keys, &batch).await?;
                let (rows, _reserved) = sealed.into_parts();
                let rows = rows.into_iter();
                let mut rows: HashMap<_, _> = rows
                    .map(|row| ((row.head.kind.clone(), row.head.id), row))
                    .collect();
                for reference in references {
                    let key = (reference.resource_type.name().to_owned(), reference.id);
                    let opened = match rows.remove(&key) {
                        None => missing(reader, *reference),
                        Some(row) => {
                            let open = self.open_current(reader.organization, reader.caller, row);
                            match undamaged(open.await)? {
                                None => Opened::Damaged,
                                Some(OpenVersion::Deleted(_)) => Opened::Deleted,
                                Some(OpenVersion::Live(stored)) => Opened::Live(stored),
                            }
                        }
                    };
                    if !visit(*reference, opened) {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Those of the resources that are stored: a reference may name none.
    pub(super) async fn stored(
        &self,
        reader: Reader<'_>,
        references: &[Reference],
    ) -> Result<Vec<Reference>, ServiceError> {
        let keys = references.iter();
        let keys: Vec<_> = keys
            .map(|it| resource_key(it.resource_type, it.id))
            .collect();
        let stored = self.database.version_lengths(reader.organization, &keys);
        let stored = stored.await?;
        let is_stored =
            |it: &&Reference| stored.contains_key(&(it.resource_type.name().to_owned(), it.id));
        Ok(references.iter().filter(is_stored).copied().collect())
    }
}

/// A stored resource without a row that can be read.
fn missing(reader: Reader<'_>, reference: Reference) -> Opened {
    let reason = "the current version of a resource is missing, or its row cannot be read";
    let (organization, id) = (reader.organization, Some(reference.id));
    let _reported = Tampering::report("resource_versions", reason, organization, id);
    Opened::Damaged
}
