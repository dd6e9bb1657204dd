//! Reads of one resource.

use access::Disclosed;
use access::Permitted;
use access::Read;
use access::Unsuccessful;
use access::disclose;
use access::record_unsuccessful;
use uuid::Uuid;

use super::Records;
use super::StoredResource;
use super::ensure_all_fields;
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
    /// [`ServiceError::ResponseTooLarge`] for one of more than `max_bytes`. Both attempts are
    /// recorded.
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
            record_unsuccessful(&self.trail, permitted, Unsuccessful::NotFound).await?;
            return Err(ServiceError::NotFound);
        };
        let caller = CallerId::of(permitted.caller());
        let stored = self.open(organization, caller, current).await?;
        if stored.bytes > max_bytes {
            record_unsuccessful(&self.trail, permitted, Unsuccessful::Failed).await?;
            return Err(ServiceError::ResponseTooLarge);
        }
        let record = stored.record(organization, id);
        Ok(disclose(&self.trail, permitted, &[record], stored).await?)
    }
}
