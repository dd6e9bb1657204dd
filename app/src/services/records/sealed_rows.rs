//! The rows of a planned write, sealed and authenticated.

use std::collections::BTreeMap;
use std::sync::Arc;

use audit::WrittenRow;
use db::DemographicsRow;
use db::PatientToken;
use db::ResourceKey;
use db::ResourceRow;
use db::SearchSummaryRow;
use db::VersionRow;
use phi::AuthorizationKey;
use phi::Deleted;
use phi::Head;
use phi::KeyError;
use phi::NewScope;
use phi::OrganizationId;
use phi::Owner;
use phi::PatientId;
use phi::RowId;
use phi::RowMac;
use phi::ScopeKey;
use phi::Tampering;
use phi::row_digest;
use time::OffsetDateTime;
use uuid::Uuid;

use super::ApplyError;
use super::Change;
use super::Effect;
use super::Records;
use super::owner_of;
use super::plan::WritePlan;
use super::planned_change::PlannedChange;
use super::resource_key;
use super::search_summaries::search_summary;
use super::write_error::WriteError;
use crate::services::error::ServiceError;
use crate::services::written_row::written_row;
use fhir::Resource;
use fhir::ResourceType;

/// All rows that a transaction writes, except those of owners.
#[derive(Debug, Default)]
pub(super) struct SealedRows {
    /// Heads of new resources.
    pub(super) new_heads: Vec<ResourceRow>,
    /// Heads of amended resources, each with the MAC of the former head.
    pub(super) amended_heads: Vec<(ResourceRow, [u8; 32])>,
    /// New versions.
    pub(super) versions: Vec<VersionRow>,
    /// Demographics and tokens of new versions of patients.
    pub(super) patients: Vec<PatientRows>,
    /// Search summaries of new versions; a Patient has none, because the roster finds it.
    pub(super) summaries: Vec<SearchSummaryRow>,
    /// Resources that are deleted.
    pub(super) deleted: Vec<(Owner, ResourceKey)>,
    /// Those of them that are Patients.
    pub(super) deleted_patients: Vec<PatientId>,
    /// Keys of new patients.
    pub(super) new_owners: BTreeMap<Owner, NewScope>,
    /// The heads that owners gain and lose.
    pub(super) heads: Vec<HeadChange>,
    /// The rows above, as the event lists them.
    pub(super) written: Vec<WrittenRow>,
}

/// The rows by which a new version of a Patient is listed and found.
#[derive(Debug)]
pub(super) struct PatientRows {
    /// The index of the change.
    pub(super) change: usize,
    /// Whether the patient is new.
    pub(super) is_new: bool,
    /// The sealed fields.
    pub(super) demographics: DemographicsRow,
    /// The blind index tokens.
    pub(super) tokens: Vec<PatientToken>,
}

/// A head that an owner gains, and the one that it replaces.
#[derive(Debug)]
pub(super) struct HeadChange {
    /// The owning patient; none for the organization.
    pub(super) patient: Option<Uuid>,
    /// The new head.
    pub(super) added: Head<'static>,
    /// Whether the server assigned the resource's id, at random.
    pub(super) has_new_id: bool,
    /// The former head; none for a new resource.
    pub(super) removed: Option<Head<'static>>,
}

/// The keys with which the rows of an owner are written, and the time of the write.
#[derive(Clone, Copy)]
pub(super) struct Sealing<'k> {
    /// The key that authenticates the rows.
    pub(super) key: &'k AuthorizationKey,
    /// The key that seals their columns.
    pub(super) scope: &'k ScopeKey,
    /// The time of the write.
    pub(super) now: OffsetDateTime,
}

impl Records {
    /// Seals the rows of a plan. Keys of new patients are created here, and stored with their
    /// owners.
    pub(super) async fn seal_rows(
        &self,
        organization: OrganizationId,
        changes: &[Change<'_>],
        plan: &WritePlan,
        now: OffsetDateTime,
    ) -> Result<SealedRows, WriteError> {
        let key = self.keys.authorization(organization).await;
        let key = key.map_err(ApplyError::from)?;
        let mut rows = SealedRows::default();
        self.create_patient_keys(organization, changes, plan, now, &mut rows)
            .await?;
        for (index, (change, step)) in plan.steps_of(changes).enumerate() {
            if step.effect.writes() {
                let owner = owner_of(organization, change.owner);
                let scope = self.owner_scope(organization, owner, plan, &rows).await?;
                let sealing = Sealing {
                    key: &key,
                    scope: &scope,
                    now,
                };
                self.seal_change(sealing, change, index, step, &mut rows)
                    .await?;
            }
        }
        Ok(rows)
    }

    /// The key of an owner, which may be new.
    async fn owner_scope(
        &self,
        organization: OrganizationId,
        owner: Owner,
        plan: &WritePlan,
        rows: &SealedRows,
    ) -> Result<Arc<ScopeKey>, WriteError> {
        if let Some(new) = rows.new_owners.get(&owner) {
            return Ok(new.scope.clone());
        }
        let scope = self.keys.scope(organization, owner).await;
        scope.map_err(|error| match error {
            KeyError::Missing => plan.missing_owner_row(|| {
                let reason = "the key of an owner that exists is missing";
                Tampering::report("keys", reason, organization, None)
            }),
            KeyError::Destroyed => WriteError::Destroyed(owner),
            KeyError::Unavailable { .. } | KeyError::Denied | KeyError::Corrupt => {
                ApplyError::from(error).into()
            }
        })
    }

    /// Seals the rows of one change.
    async fn seal_change(
        &self,
        sealing: Sealing<'_>,
        change: &Change<'_>,
        index: usize,
        step: &PlannedChange,
        rows: &mut SealedRows,
    ) -> Result<(), ApplyError> {
        let (head, version) = resource_rows(sealing, change, step)?;
        let added = Head {
            kind: change.resource_type.name(),
            id: change.id,
            version: step.version,
            digest: head.version_digest,
        };
        rows.written
            .extend([written_row(&head), written_row(&version)]);
        rows.heads.push(HeadChange {
            patient: change.owner,
            has_new_id: change.has_new_id(),
            removed: step.replaced.as_ref().map(|replaced| Head {
                version: replaced.version,
                digest: replaced.version_digest,
                ..added
            }),
            added,
        });
        match &step.replaced {
            Some(replaced) => rows.amended_heads.push((head, *replaced.mac.as_bytes())),
            None => rows.new_heads.push(head),
        }
        let version_row = version.row_id;
        rows.versions.push(version);
        let is_patient = change.resource_type == ResourceType::Patient;
        match change.resource() {
            Some(resource) if is_patient => {
                let patient = self.patient_rows(sealing, change, resource, index, step);
                let patient = patient.await?;
                rows.written.push(written_row(&patient.demographics));
                rows.patients.push(patient);
            }
            Some(resource) => {
                let summary = search_summary(sealing.scope, change.id, resource, version_row)?;
                rows.summaries.push(summary);
            }
            None => {
                if is_patient {
                    rows.deleted_patients.push(change.id.into());
                }
                let key = resource_key(change.resource_type, change.id);
                rows.deleted.push((sealing.scope.owner(), key));
            }
        }
        Ok(())
    }

    /// Creates the keys of the patients that the plan creates.
    async fn create_patient_keys(
        &self,
        organization: OrganizationId,
        changes: &[Change<'_>],
        plan: &WritePlan,
        now: OffsetDateTime,
        rows: &mut SealedRows,
    ) -> Result<(), ApplyError> {
        for (change, step) in plan.steps_of(changes) {
            let is_new = step.effect == Effect::Created && step.replaced.is_none();
            if change.resource_type == ResourceType::Patient && is_new {
                let owner = Owner::Patient(change.id.into());
                let new = self.keys.new_scope(organization, owner, now).await?;
                rows.new_owners.insert(owner, new);
            }
        }
        Ok(())
    }
}

/// The head and the version of a change.
fn resource_rows(
    sealing: Sealing<'_>,
    change: &Change<'_>,
    step: &PlannedChange,
) -> Result<(ResourceRow, VersionRow), ServiceError> {
    let Sealing { key, scope, now } = sealing;
    let (organization, owner) = (scope.organization(), scope.owner());
    let row_id = RowId::random();
    // The body of a tombstone is empty.
    let body = change
        .resource()
        .map(Resource::to_bytes)
        .unwrap_or_default();
    let deleted = (step.effect == Effect::Deleted).then_some(Deleted);
    let version = key.authenticate(VersionRow {
        organization,
        owner_kind: owner.kind(),
        owner: owner.id(organization),
        kind: change.resource_type.name().to_owned(),
        id: change.id,
        version: step.version,
        row_id,
        at: now,
        body: scope.seal(row_id, &*body)?,
        deleted,
        mac: RowMac::UNSET,
    });
    // A head keeps its row id over all versions: its newest digest in `audit_rows` is found by it.
    let former_row_id = step.replaced.as_ref().map(|replaced| replaced.row_id);
    let head = key.authenticate(ResourceRow {
        organization,
        owner_kind: version.owner_kind,
        owner: version.owner,
        kind: version.kind.clone(),
        id: change.id,
        row_id: former_row_id.unwrap_or_else(RowId::random),
        version: step.version,
        version_row: row_id,
        updated_at: now,
        version_digest: row_digest(&version),
        deleted,
        mac: RowMac::UNSET,
    });
    Ok((head, version))
}
