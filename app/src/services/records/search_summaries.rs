//! Search summaries: the values of a resource that searches compare, sealed apart from its body.
//!
//! The sealed value begins with the row id of the version that it summarizes. It is therefore bound to that version: a
//! summary of another one is ignored, and the body is opened in its place.

use db::ResourceRow;
use db::SearchSummaryRow;
use fhir::Resource;
use fhir::ResourceType;
use fhir::search::SearchValues;
use phi::OrganizationId;
use phi::Owner;
use phi::Requested;
use phi::RowId;
use phi::ScopeKey;
use phi::SealError;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Records;
use crate::services::error::ServiceError;

/// The length of a row id, in bytes.
const ROW_ID_BYTES: usize = 16;

/// The sealed search summary of a version.
pub(super) fn search_summary(
    scope: &ScopeKey,
    id: Uuid,
    resource: &Resource,
    version_row: RowId,
) -> Result<SearchSummaryRow, SealError> {
    let row_id = RowId::random();
    let values = SearchValues::of(resource).encode(scope.owner().patient());
    let mut summary = Zeroizing::new(Vec::with_capacity(ROW_ID_BYTES + values.len()));
    summary.extend_from_slice(version_row.uuid().as_bytes());
    summary.extend_from_slice(&values);
    let (organization, owner) = (scope.organization(), scope.owner());
    Ok(SearchSummaryRow {
        organization,
        owner_kind: owner.kind(),
        owner: owner.id(organization),
        kind: resource.resource_type().name().to_owned(),
        id,
        row_id,
        summary: scope.seal(row_id, &*summary)?,
    })
}

impl Records {
    /// The search values of a verified head from its summary; none if the summary is missing, damaged, of another version
    /// or of a format that this build does not read: then the body is opened.
    ///
    /// # Errors
    ///
    /// A key is unavailable.
    pub(super) async fn summarized(
        &self,
        organization: OrganizationId,
        owner: Owner,
        resource_type: ResourceType,
        head: &ResourceRow,
        summary: Option<SearchSummaryRow>,
    ) -> Result<Option<SearchValues>, ServiceError> {
        let Some(row) = summary else {
            return Ok(None);
        };
        let requested = Requested {
            organization,
            owner,
            row: row.row_id,
        };
        let opened = match self.keys.open(requested, &row.summary).await {
            Ok(opened) => opened,
            Err(phi::OpenError::Tampered(_)) => return Ok(None),
            Err(error @ phi::OpenError::Key(_)) => return Err(error.into()),
        };
        let values = opened
            .expose()
            .strip_prefix(head.version_row.uuid().as_bytes().as_slice());
        let patient = owner.patient();
        Ok(values.and_then(|values| SearchValues::decode(resource_type, values, patient)))
    }
}
