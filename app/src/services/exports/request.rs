//! The beginning of an export.

use access::CallerEvent;
use access::Disclosed;
use access::Export;
use access::Permitted;
use access::Record;
use access::Unsuccessful;
use access::record_export;
use access::record_unsuccessful;
use db::ExportRow;
use fhir::bulk_export::ExportLevel;
use fhir::bulk_export::ExportProgress;
use fhir::bulk_export::ExportQuery;
use fhir::bulk_export::ExportRequest;
use phi::Owner;
use phi::PersonId;
use phi::RowId;
use phi::RowMac;
use uuid::Uuid;

use super::Exports;
use super::MAX_ATTEMPTS;
use crate::limits::MAX_PERSON_EXPORTS;
use crate::services::error::ServiceError;
use crate::services::trail::TrailError;
use crate::services::written_row::written_row;

/// The error of a request for an export.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RequestError {
    /// The person has as many exports as it may have at once.
    TooMany,
    /// Another failure.
    Service(ServiceError),
}

impl<E: Into<ServiceError>> From<E> for RequestError {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

impl Exports {
    /// Begins an export under a new id.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] for a group that the caller's organization does not have. All attempts are recorded.
    pub(crate) async fn request(
        &self,
        permitted: &Permitted<'_, Export>,
        id: Uuid,
        query: ExportQuery,
    ) -> Result<Disclosed<Uuid>, RequestError> {
        let caller = permitted.caller();
        let (organization, person) = (caller.organization(), PersonId::from(caller.person()));
        let now = self.clock.now();
        let count = self.database.count_exports(organization, person, now);
        if count.await? >= MAX_PERSON_EXPORTS {
            record_unsuccessful(&self.trail, permitted, Unsuccessful::Failed).await?;
            return Err(RequestError::TooMany);
        }
        let (group_version, dependencies) = self.requested_group(permitted, &query).await?;
        let progress = ExportProgress::begin(&query).encode();
        let request = ExportRequest {
            query,
            group_version,
        };
        let owner = Owner::of_organization(organization);
        let scope = self.keys.scope(organization, owner).await?;
        let key = self.keys.authorization(organization).await?;
        let row_id = RowId::random();
        let row = key.authenticate(ExportRow {
            organization,
            id,
            row_id,
            person,
            requested_at: now,
            expires_at: now + self.lifetime,
            request: scope.seal(row_id, &request.encode())?,
            state: scope.seal(row_id, &progress)?,
            ended_at: None,
            mac: RowMac::UNSET,
        });
        let write = record_export(&self.trail, permitted, &dependencies).await;
        let write = write.map_err(ServiceError::from)?;
        let (receipt, ()) = write.commit(|event| self.insert(&row, event)).await?;
        Ok(receipt.disclose(id))
    }

    /// The version of the group of a request, and the group as the event names it.
    async fn requested_group(
        &self,
        permitted: &Permitted<'_, Export>,
        query: &ExportQuery,
    ) -> Result<(Option<u64>, Vec<Record>), ServiceError> {
        let ExportLevel::Group(id) = query.level else {
            return Ok((None, Vec::new()));
        };
        let group = self.records.exported_group(permitted, id, None).await;
        let group = self.or_recorded(permitted, group).await?;
        let Some(group) = group else {
            return self.not_found(permitted).await;
        };
        let organization = permitted.caller().organization();
        Ok((
            Some(group.meta.version),
            vec![group.record(organization, id)],
        ))
    }

    async fn insert(&self, row: &ExportRow, event: CallerEvent) -> Result<(), TrailError> {
        for _ in 1..MAX_ATTEMPTS {
            match self.try_insert(row, event.clone()).await {
                Err(TrailError::Database(db::Error::Conflict)) => {}
                inserted => return inserted,
            }
        }
        self.try_insert(row, event).await
    }

    async fn try_insert(&self, row: &ExportRow, event: CallerEvent) -> Result<(), TrailError> {
        let event = self.trail.seal_event(event).await?;
        let event = event.with_rows(vec![written_row(row)]);
        let mut transaction = self.database.begin().await?;
        transaction.insert_export(row).await?;
        self.trail.commit_with(transaction, event).await
    }
}
