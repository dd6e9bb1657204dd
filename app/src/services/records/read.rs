//! Reads of one resource: its current version, and former ones.

use access::Disclosed;
use access::Permitted;
use access::Read;
use access::Unsuccessful;
use access::disclose;
use access::record_unsuccessful;
use db::ResourceKey;
use phi::OrganizationId;
use phi::Tampering;
use uuid::Uuid;

use super::Records;
use super::damage::OpenFailure;
use super::ensure_all_fields;
use super::open::OpenVersion;
use super::open::StoredResource;
use super::open::version_record;
use super::resource_key;
use crate::services::budget::CallerId;
use crate::services::error::ServiceError;
use fhir::ResourceType;

impl Records {
    /// The current version of a resource of the caller's organization.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] also for a resource of another organization;
    /// [`ServiceError::Gone`] for a deleted one; [`ServiceError::ResponseTooLarge`] for one of more
    /// than `max_bytes`. All attempts are recorded.
    pub(crate) async fn read(
        &self,
        permitted: &Permitted<'_, Read>,
        resource_type: ResourceType,
        id: Uuid,
        max_bytes: usize,
    ) -> Result<Disclosed<StoredResource>, ServiceError> {
        ensure_all_fields(permitted)?;
        let organization = permitted.caller().organization();
        let key = resource_key(resource_type, id);
        let current = self.database.current_version(organization, &key).await?;
        let Some(current) = current else {
            return self.not_found(permitted).await;
        };
        let caller = CallerId::of(permitted.caller());
        let open = self.open_current(organization, caller, current).await;
        let open = self.undamaged_or_recorded(permitted, open).await?;
        self.disclose_version(permitted, (resource_type, id), open, max_bytes)
            .await
    }

    /// A version of a resource of the caller's organization.
    ///
    /// # Errors
    ///
    /// See [`Self::read`]; [`ServiceError::NotFound`] also for a version that the resource never had.
    pub(crate) async fn read_version(
        &self,
        permitted: &Permitted<'_, Read>,
        resource_type: ResourceType,
        id: Uuid,
        version: u64,
        max_bytes: usize,
    ) -> Result<Disclosed<StoredResource>, ServiceError> {
        ensure_all_fields(permitted)?;
        let organization = permitted.caller().organization();
        let key = resource_key(resource_type, id);
        let caller = CallerId::of(permitted.caller());
        let open = self.open_numbered(organization, caller, &key, version);
        let open = open.await;
        let Some(open) = self.undamaged_or_recorded(permitted, open).await? else {
            return self.not_found(permitted).await;
        };
        self.disclose_version(permitted, (resource_type, id), open, max_bytes)
            .await
    }

    /// A version of a resource, opened; none that the resource never had.
    pub(super) async fn open_numbered(
        &self,
        organization: OrganizationId,
        caller: CallerId,
        key: &ResourceKey,
        version: u64,
    ) -> Result<Option<OpenVersion>, OpenFailure> {
        let Ok(number) = u32::try_from(version) else {
            return Ok(None);
        };
        let stored = self.database.version(organization, key, number).await?;
        let Some(stored) = stored else {
            return Ok(None);
        };
        let head = self.verify_head(organization, stored.head, stored.newest);
        let head = head.await?;
        let Some(row) = stored.version else {
            if (1..=head.version).contains(&number) {
                let reason = "a version below the newest one is missing";
                let row = Some(head.row_id.uuid());
                let table = "resource_versions";
                return Err(Tampering::report(table, reason, organization, row).into());
            }
            return Ok(None);
        };
        let reserved = self.reserve_body(caller, &row)?;
        let row = self.keys.verify(organization, row).await?;
        let open = self.open_version(organization, head.owner()?, row, reserved);
        Ok(Some(open.await?))
    }

    /// Records that there is no such resource.
    async fn not_found<T>(&self, permitted: &Permitted<'_, Read>) -> Result<T, ServiceError> {
        record_unsuccessful(&self.trail, permitted, Unsuccessful::NotFound).await?;
        Err(ServiceError::NotFound)
    }

    /// A version that is not damaged. An attempt to read a damaged one is recorded.
    async fn undamaged_or_recorded<T>(
        &self,
        permitted: &Permitted<'_, Read>,
        open: Result<T, OpenFailure>,
    ) -> Result<T, ServiceError> {
        if let Err(OpenFailure::Damaged) = open {
            record_unsuccessful(&self.trail, permitted, Unsuccessful::Failed).await?;
        }
        Ok(open?)
    }

    /// Discloses a version that has content.
    async fn disclose_version(
        &self,
        permitted: &Permitted<'_, Read>,
        (resource_type, id): (ResourceType, Uuid),
        open: OpenVersion,
        max_bytes: usize,
    ) -> Result<Disclosed<StoredResource>, ServiceError> {
        let organization = permitted.caller().organization();
        let record = version_record(organization, resource_type, id, open.owner(), open.meta());
        match open {
            OpenVersion::Live(stored) if stored.bytes > max_bytes => {
                record_unsuccessful(&self.trail, permitted, Unsuccessful::Failed).await?;
                Err(ServiceError::ResponseTooLarge)
            }
            OpenVersion::Live(stored) => {
                Ok(disclose(&self.trail, permitted, &[record], stored).await?)
            }
            // That the resource existed is disclosed.
            OpenVersion::Deleted(_) => {
                let gone = disclose(&self.trail, permitted, &[record], ServiceError::Gone).await?;
                Err(gone.into_inner())
            }
        }
    }
}
