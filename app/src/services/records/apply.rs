//! Atomic writes, each committed together with its audit event.
//!
//! `plan` compares the changes with the stored resources, outside any transaction; `sealed_rows`
//! seals the rows to write; then the transaction locks the owners and the heads, checks that the
//! plan is current, and writes. After a conflict with a concurrent transaction all of this is
//! repeated.

use access::CallerEvent;
use access::Permitted;
use access::Write;
use access::record_write;
use db::PatientToken;
use db::Transaction;
use phi::OrganizationId;
use phi::Owner;
use time::OffsetDateTime;
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::Records;
use super::Refusal;
use super::RefusalReason;
use super::owner_of;
use super::owners::orphan_is_tampering;
use super::plan::WritePlan;
use super::resource_key;
use super::sealed_rows::SealedRows;
use super::write_error::ApplyError;
use super::write_error::WriteError;
use crate::services::error::ServiceError;
use crate::services::feed;
use fhir::Reference;
use fhir::Resource;
use fhir::ResourceType;
use fhir::VersionMeta;

/// Maximum attempts at a write that conflicts with concurrent transactions.
const MAX_ATTEMPTS: usize = 8;

/// A permitted write of one resource.
#[derive(Debug)]
pub(crate) struct Change<'caller> {
    /// The permit.
    pub(crate) permitted: Permitted<'caller, Write>,
    /// The resource type.
    pub(crate) resource_type: ResourceType,
    /// The resource's id.
    pub(crate) id: Uuid,
    /// The patient that owns the resource; none for a resource of the organization.
    pub(crate) owner: Option<Uuid>,
    /// The validated resource.
    pub(crate) resource: Resource,
    /// Whether the id must be unused.
    pub(crate) create: bool,
    /// The blind index tokens of a patient, once they were computed.
    pub(super) tokens: OnceCell<Vec<PatientToken>>,
    /// Those of the tokens that no other patient may have.
    pub(super) unique_tokens: OnceCell<Vec<PatientToken>>,
}

impl<'caller> Change<'caller> {
    /// The change of a permitted write.
    pub(crate) fn new(
        permitted: Permitted<'caller, Write>,
        target: Reference,
        owner: Option<Uuid>,
        resource: Resource,
        create: bool,
    ) -> Self {
        Self {
            permitted,
            resource_type: target.resource_type,
            id: target.id,
            owner,
            resource,
            create,
            tokens: OnceCell::new(),
            unique_tokens: OnceCell::new(),
        }
    }
}

/// The effect of a change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Effect {
    /// The resource was created.
    Created,
    /// The resource has a new version.
    Amended,
    /// The current version is exactly the resource that was sent.
    Unchanged,
}

/// The result of a change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Applied {
    /// The effect.
    pub(crate) effect: Effect,
    /// The resource's version after the change.
    pub(crate) meta: VersionMeta,
}

impl Records {
    /// Makes all `changes`, or none.
    ///
    /// # Errors
    ///
    /// See [`ApplyError`]; then nothing was written.
    pub(crate) async fn apply(&self, changes: &[Change<'_>]) -> Result<Vec<Applied>, ApplyError> {
        for _ in 0..MAX_ATTEMPTS {
            let error = match self.attempt(changes).await {
                Ok(applied) => return Ok(applied),
                Err(WriteError::Conflict) => continue,
                Err(WriteError::Destroyed(owner)) => owner_destroyed(changes, owner),
                Err(WriteError::Final(error)) => error,
            };
            if let ApplyError::Refused(refusals) = &error {
                self.record_refused(changes, refusals).await?;
            }
            return Err(error);
        }
        let cause = "too many concurrent writes of the same records";
        Err(ServiceError::unavailable(cause).into())
    }

    async fn attempt(&self, changes: &[Change<'_>]) -> Result<Vec<Applied>, WriteError> {
        let Some(first) = changes.first() else {
            return Ok(Vec::new());
        };
        let organization = first.permitted.caller().organization();
        let plan = self.plan(organization, changes).await?;
        let records: Vec<_> = changes
            .iter()
            .zip(&plan.steps)
            .map(|(change, step)| (&change.permitted, change.record(Some(step.version))))
            .collect();
        let write = record_write(&self.trail, &records).await;
        let write = write.map_err(|error| ApplyError::from(ServiceError::from(error)))?;
        let now = self.clock.now();
        let commit = write.commit(|event| self.write(organization, changes, &plan, event, now));
        let (receipt, ()) = commit.await?;
        Ok(receipt.disclose(plan.applied(now)).into_inner())
    }

    /// Writes the plan in one transaction, with its audit event.
    async fn write(
        &self,
        organization: OrganizationId,
        changes: &[Change<'_>],
        plan: &WritePlan,
        event: CallerEvent,
        now: OffsetDateTime,
    ) -> Result<(), WriteError> {
        let rows = self.seal_rows(organization, changes, plan, now).await?;
        let event = self.trail.seal_event(event).await?;
        let key = self.keys.authorization(organization).await;
        let key = key.map_err(ApplyError::from)?;
        let mut transaction = self.database.begin().await?;
        let owners = self
            .write_owners(&mut transaction, organization, &key, &rows)
            .await?;
        let keys: Vec<_> = changes
            .iter()
            .map(|change| resource_key(change.resource_type, change.id))
            .collect();
        let locked = transaction.lock_resources(organization, &keys).await?;
        if !plan.is_current(&locked) {
            return Err(WriteError::Conflict);
        }
        owners.verify_replaced(&mut transaction, &locked).await?;
        store_rows(&mut transaction, organization, &rows).await?;
        let mut listed = rows.written;
        listed.extend(owners.listed);
        let patients = rows.patients.iter();
        let patients = patients.map(|patient| patient.demographics.patient);
        let event = event
            .with_rows(listed)
            .with_changes(patients.map(feed::Change::demographics).collect());
        Ok(self.trail.commit_with(transaction, event).await?)
    }
}

/// The refusal of every change to a destroyed owner's data.
fn owner_destroyed(changes: &[Change<'_>], destroyed: Owner) -> ApplyError {
    let reason = RefusalReason::OwnerDestroyed;
    let refusals = changes.iter().enumerate().filter_map(|(change, it)| {
        let owner = owner_of(it.permitted.caller().organization(), it.owner);
        (owner == destroyed).then_some(Refusal { change, reason })
    });
    ApplyError::Refused(refusals.collect())
}

/// Writes the rows of resources and patients.
async fn store_rows(
    transaction: &mut Transaction,
    organization: OrganizationId,
    rows: &SealedRows,
) -> Result<(), WriteError> {
    let heads = transaction.insert_resources(&rows.new_heads).await;
    heads.map_err(orphan_is_tampering("resources", organization))?;
    for (head, former_mac) in &rows.amended_heads {
        transaction.update_resource(head, former_mac).await?;
    }
    let versions = transaction.insert_versions(&rows.versions).await;
    versions.map_err(orphan_is_tampering("resource_versions", organization))?;
    for patient in &rows.patients {
        let (row, is_new) = (&patient.demographics, patient.is_new);
        let fields = transaction.replace_demographics(row, is_new).await;
        fields.map_err(orphan_is_tampering("demographics", organization))?;
        let (id, tokens) = (row.patient, &patient.tokens);
        let tokens = transaction.replace_patient_tokens(organization, id, tokens, is_new);
        match tokens.await {
            Err(db::Error::UniqueViolation("patient_index_unique")) => {
                // A concurrent transaction has used the number since the plan was made.
                let (change, reason) = (patient.change, RefusalReason::MedicalRecordNumberTaken);
                return Err(ApplyError::Refused(vec![Refusal { change, reason }]).into());
            }
            done => done.map_err(orphan_is_tampering("patient_index", organization))?,
        }
    }
    Ok(())
}
