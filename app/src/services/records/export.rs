//! Resources for bulk exports: opened here, and disclosed when a file of the export is downloaded.

use access::Export;
use access::Permitted;
use uuid::Uuid;

use super::Records;
use super::ensure_all_fields;
use super::open::OpenVersion;
use super::open::StoredResource;
use super::open_each::Opened;
use super::reader::Reader;
use super::resource_key;
use crate::services::budget::CallerId;
use crate::services::error::ServiceError;
use crate::services::request_budget::RequestBudget;
use fhir::Reference;
use fhir::ResourceType;

impl Records {
    /// Opens resources in order, in batches whose memory is reserved first. Stops when `visit` returns false. Returns those
    /// that cannot be opened; those that were deleted meanwhile are left out.
    ///
    /// # Errors
    ///
    /// A dependency or the caller's memory budget is unavailable.
    pub(crate) async fn open_exported(
        &self,
        permitted: &Permitted<'_, Export>,
        references: &[Reference],
        mut visit: impl FnMut(Reference, StoredResource) -> bool,
    ) -> Result<Vec<Uuid>, ServiceError> {
        ensure_all_fields(permitted)?;
        // The caller's step has a deadline, which bounds it more closely.
        let budget = RequestBudget::new();
        let reader = Reader::begin(permitted, &budget)?;
        let mut damaged = Vec::new();
        self.open_each(reader, references, |reference, opened| match opened {
            Opened::Live(stored) => visit(reference, stored),
            Opened::Deleted => true,
            Opened::Damaged => {
                damaged.push(reference.id);
                true
            }
        })
        .await?;
        Ok(damaged)
    }

    /// A Group whose members are exported: in its current version, or in one that it had before. None if there is no such
    /// group, or that version deletes it.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Internal`] for a damaged one.
    pub(crate) async fn exported_group(
        &self,
        permitted: &Permitted<'_, Export>,
        id: Uuid,
        version: Option<u64>,
    ) -> Result<Option<StoredResource>, ServiceError> {
        ensure_all_fields(permitted)?;
        let organization = permitted.caller().organization();
        let caller = CallerId::of(permitted.caller());
        let key = resource_key(ResourceType::Group, id);
        let open = match version {
            Some(version) => {
                let open = self.open_numbered(organization, caller, &key, version);
                open.await?
            }
            None => match self.database.current_version(organization, &key).await? {
                Some(current) => Some(self.open_current(organization, caller, current).await?),
                None => None,
            },
        };
        Ok(match open {
            Some(OpenVersion::Live(stored)) => Some(stored),
            Some(OpenVersion::Deleted(_)) | None => None,
        })
    }
}
