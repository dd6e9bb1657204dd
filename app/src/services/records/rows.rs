//! From a plan to the rows that carry it out, sealed and authenticated.

use db::{DemographicsRow, ResourceRow, VersionRow};
use phi::{
    AuthorizationKey, BlindIndex, OrganizationId, PatientId, RowId, RowMac, Scope, columns,
    row_digest,
};
use time::OffsetDateTime;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::plan::{Plan, Step};
use super::{Change, Effect, Records, owner_column, owner_of};
use crate::services::error::ServiceError;
use fhir::Demographics;
use fhir::ResourceType;

/// Everything that a transaction writes.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Heads of new resources.
    pub(super) new_heads: Vec<ResourceRow>,
    /// Heads that move to their next version.
    pub(super) moved_heads: Vec<ResourceRow>,
    /// New versions.
    pub(super) versions: Vec<VersionRow>,
    /// Demographics of new versions of patients, each with the index of its change.
    pub(super) demographics: Vec<(usize, DemographicsRow)>,
    /// SHA-256 of every row above, for the event.
    pub(super) digests: Vec<[u8; 32]>,
}

impl Records {
    /// Seals what the plan asks for. Keys of new patients are made here.
    pub(super) async fn seal_rows(
        &self,
        organization: OrganizationId,
        changes: &[Change],
        plan: &Plan,
        now: OffsetDateTime,
    ) -> Result<Rows, ServiceError> {
        let key = self.keys.authorization(organization).await?;
        let mut rows = Rows::default();
        for (index, (change, step)) in changes.iter().zip(&plan.steps).enumerate() {
            if step.effect == Effect::Unchanged {
                continue;
            }
            let owner = owner_column(organization, change.owner);
            let holder = owner_of(change.kind(), owner);
            let scope = if change.kind() == ResourceType::Patient || change.owner.is_none() {
                self.keys.ensure_scope(organization, holder, now).await?
            } else {
                self.keys.scope(organization, holder).await?
            };
            let head = head(&key, organization, owner, change, step, now);
            rows.digests.push(row_digest(&head));
            let heads = match step.effect {
                Effect::Created => &mut rows.new_heads,
                Effect::Amended | Effect::Unchanged => &mut rows.moved_heads,
            };
            let version = version(&key, &scope, &head, change)?;
            heads.push(head);
            rows.digests.push(row_digest(&version));
            rows.versions.push(version);
            if change.kind() == ResourceType::Patient {
                let row = self
                    .demographics(&key, &scope, organization, change, step)
                    .await?;
                rows.digests.push(row_digest(&row));
                rows.demographics.push((index, row));
            }
        }
        Ok(rows)
    }

    /// The demographics of a Patient, field by field.
    async fn demographics(
        &self,
        key: &AuthorizationKey,
        scope: &Scope,
        organization: OrganizationId,
        change: &Change,
        step: &Step,
    ) -> Result<DemographicsRow, ServiceError> {
        let said = Demographics::of(&change.resource);
        let row_id = RowId::random();
        let mrn_index = match &said.medical_record_number {
            Some(number) => self
                .keys
                .index(organization)
                .await?
                .exact(&columns::DEMOGRAPHICS_MRN, number),
            None => no_number(),
        };
        let ssn_index = match &said.social_security_number {
            Some(number) => self.keys.ssn_index(organization, number).await?,
            None => no_number(),
        };
        let mut row = DemographicsRow {
            organization,
            patient: PatientId::from_uuid(change.id),
            row_id,
            version: step.version,
            family: scope.seal(&columns::DEMOGRAPHICS_FAMILY, row_id, &plain(said.family))?,
            given: scope.seal(&columns::DEMOGRAPHICS_GIVEN, row_id, &plain(said.given))?,
            birth_date: scope.seal(
                &columns::DEMOGRAPHICS_BIRTH_DATE,
                row_id,
                &plain(said.birth_date),
            )?,
            gender: scope.seal(&columns::DEMOGRAPHICS_GENDER, row_id, &plain(said.gender))?,
            mrn: scope.seal(
                &columns::DEMOGRAPHICS_MRN,
                row_id,
                &plain(said.medical_record_number),
            )?,
            ssn: scope.seal(
                &columns::DEMOGRAPHICS_SSN,
                row_id,
                &plain(said.social_security_number),
            )?,
            phone: scope.seal(&columns::DEMOGRAPHICS_PHONE, row_id, &plain(said.phone))?,
            email: scope.seal(&columns::DEMOGRAPHICS_EMAIL, row_id, &plain(said.email))?,
            address: scope.seal(&columns::DEMOGRAPHICS_ADDRESS, row_id, &plain(said.address))?,
            mrn_index,
            ssn_index,
            mac: RowMac::UNSET,
        };
        row.mac = key.authenticate(&row);
        Ok(row)
    }
}

fn head(
    key: &AuthorizationKey,
    organization: OrganizationId,
    owner: Uuid,
    change: &Change,
    step: &Step,
    now: OffsetDateTime,
) -> ResourceRow {
    let mut head = ResourceRow {
        organization,
        owner,
        kind: change.kind().name().to_owned(),
        id: change.id,
        version: step.version,
        updated_at: now,
        mac: RowMac::UNSET,
    };
    head.mac = key.authenticate(&head);
    head
}

fn version(
    key: &AuthorizationKey,
    scope: &Scope,
    head: &ResourceRow,
    change: &Change,
) -> Result<VersionRow, ServiceError> {
    let row_id = RowId::random();
    let mut version = VersionRow {
        organization: head.organization,
        owner: head.owner,
        kind: head.kind.clone(),
        id: head.id,
        version: head.version,
        row_id,
        at: head.updated_at,
        body: scope.seal(
            &columns::RESOURCE_VERSIONS_BODY,
            row_id,
            &change.resource.to_bytes(),
        )?,
        mac: RowMac::UNSET,
    };
    version.mac = key.authenticate(&version);
    Ok(version)
}

/// Stands where there is no number, so that absence does not show.
fn no_number() -> BlindIndex {
    BlindIndex::from_bytes(phi::random_bytes())
}

/// A field as it is sealed, wiped when dropped.
fn plain(field: Option<Zeroizing<String>>) -> Zeroizing<Option<String>> {
    Zeroizing::new(field.map(|mut text| std::mem::take(&mut *text)))
}
