//! The lookup of a caller's export.

use access::Export;
use access::Permitted;
use access::permit;
use fhir::bulk_export::ExportProgress;
use fhir::bulk_export::ExportRequest;
use phi::OrganizationId;
use phi::Owner;
use phi::PersonId;
use phi::Requested;
use phi::RowId;
use phi::Tampering;
use uuid::Uuid;

use super::Exports;
use super::live::LiveExport;
use crate::services::error::ServiceError;
use crate::services::records::subject;

impl Exports {
    /// An export that the caller requested, and that is neither removed nor expired.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`], which is recorded; [`ServiceError::Internal`] for a row that is not as it was written.
    pub(super) async fn live(
        &self,
        permitted: &Permitted<'_, Export>,
        id: Uuid,
    ) -> Result<LiveExport, ServiceError> {
        let found = self.find(permitted, id).await;
        match self.or_recorded(permitted, found).await? {
            Some(export) => Ok(export),
            None => self.not_found(permitted).await,
        }
    }

    /// The same, if the caller may export each of its types: the scopes of the token may be others than those of the request.
    ///
    /// # Errors
    ///
    /// As [`Self::live`]; [`ServiceError::InsufficientScope`], which is recorded.
    pub(super) async fn permitted_live(
        &self,
        permitted: &Permitted<'_, Export>,
        id: Uuid,
    ) -> Result<LiveExport, ServiceError> {
        let export = self.live(permitted, id).await?;
        let caller = permitted.caller();
        for resource_type in &export.request.query.types {
            let subject = subject(caller.organization(), *resource_type);
            let type_permit = permit(&self.trail, caller, Export, subject);
            type_permit.await.map(drop)?;
        }
        Ok(export)
    }

    /// The same as [`Self::live`]; none if there is no such export.
    pub(super) async fn find(
        &self,
        permitted: &Permitted<'_, Export>,
        id: Uuid,
    ) -> Result<Option<LiveExport>, ServiceError> {
        let caller = permitted.caller();
        let organization = caller.organization();
        let Some(row) = self.database.export(organization, id).await? else {
            return Ok(None);
        };
        let row = self.keys.verify(organization, row).await?.into_inner();
        let is_live = row.person == PersonId::from(caller.person())
            && row.ended_at.is_none()
            && self.clock.now() < row.expires_at;
        if !is_live {
            return Ok(None);
        }
        let requested = Requested {
            organization,
            owner: Owner::of_organization(organization),
            row: row.row_id,
        };
        let request = self.keys.open(requested, &row.request).await?;
        let request = ExportRequest::decode(request.expose());
        let state = self.keys.open(requested, &row.state).await?;
        let progress = ExportProgress::decode(state.expose());
        let malformed = || malformed(organization, row.row_id);
        Ok(Some(LiveExport {
            request: request.map_err(|_malformed| malformed())?,
            progress: progress.map_err(|_malformed| malformed())?,
            row,
        }))
    }
}

fn malformed(organization: OrganizationId, row: RowId) -> Tampering {
    let reason = "a sealed value of an export is malformed";
    Tampering::report("exports", reason, organization, Some(row.uuid()))
}
