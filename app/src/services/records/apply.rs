//! Atomic writes, each committed together with its audit event.
//!
//! `plan` compares the changes with the stored resources, outside any transaction; `sealed_rows`
//! seals the rows to write; then the transaction locks the owners and the heads, checks that the
//! plan is current, and writes. After a conflict with a concurrent transaction all of this is
//! repeated.

use std::time::Duration;

use access::CallerEvent;
use access::Disclosed;
use access::NotPhi;
use access::record_write;
use db::ResourceKey;
use db::Transaction;
use phi::OrganizationId;
use phi::Owner;
use time::OffsetDateTime;

use super::Applied;
use super::Change;
use super::Effect;
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
use fhir::ResourceType;

/// Maximum attempts at a write that conflicts with concurrent transactions.
const MAX_ATTEMPTS: usize = 8;
/// Delay before the second attempt; it doubles, so that all delays together take half a second.
const FIRST_DELAY: Duration = Duration::from_millis(2);

impl Records {
    /// Makes all `changes`, or none.
    ///
    /// # Errors
    ///
    /// See [`ApplyError`]; then nothing was written.
    pub(crate) async fn apply(
        &self,
        changes: &[Change<'_>],
    ) -> Result<Disclosed<Vec<Applied>>, ApplyError> {
        let mut delay = FIRST_DELAY;
        for _ in 0..MAX_ATTEMPTS {
            let error = match self.attempt(changes).await {
                Ok(applied) => return Ok(applied),
                Err(WriteError::Conflict) => {
                    // The other transaction is given time to end: an immediate retry may meet its locks again.
                    tokio::time::sleep(delay).await;
                    delay *= 2;
                    continue;
                }
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

    async fn attempt(&self, changes: &[Change<'_>]) -> Result<Disclosed<Vec<Applied>>, WriteError> {
        let Some(first) = changes.first() else {
            return Ok(NotPhi::assert(Vec::new(), "no results").into());
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
        Ok(receipt.disclose(plan.applied(now)))
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
        let locked = transaction
            .lock_resources(organization, &locked_keys(changes))
            .await?;
        if !plan.is_current(&locked) {
            return Err(WriteError::Conflict);
        }
        owners.verify_replaced(&mut transaction, &locked).await?;
        store_rows(&mut transaction, organization, &rows).await?;
        refuse_unfinished_charts(&mut transaction, organization, changes, plan).await?;
        let mut listed = rows.written;
        listed.extend(owners.listed);
        let stored = rows.patients.iter();
        let stored = stored.map(|patient| patient.demographics.patient);
        let patients = stored.chain(rows.deleted_patients.iter().copied());
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

/// The keys of the heads that are locked: those of the changes, and of the Patients in whose charts they are, so that no
/// resource is stored in the chart of a Patient that is deleted at the same time.
fn locked_keys(changes: &[Change<'_>]) -> Vec<ResourceKey> {
    let targets = changes
        .iter()
        .map(|change| resource_key(change.resource_type, change.id));
    let stored = changes.iter().filter(|change| change.resource().is_some());
    let patients = stored.filter_map(|change| change.owner);
    let patients = patients.map(|patient| resource_key(ResourceType::Patient, patient));
    targets.chain(patients).collect()
}

/// Refuses to delete a Patient whose chart has other resources. The owner's row is locked.
async fn refuse_unfinished_charts(
    transaction: &mut Transaction,
    organization: OrganizationId,
    changes: &[Change<'_>],
    plan: &WritePlan,
) -> Result<(), WriteError> {
    for (index, (change, step)) in changes.iter().zip(&plan.steps).enumerate() {
        let is_patient = change.resource_type == ResourceType::Patient;
        if !is_patient || step.effect != Effect::Deleted {
            continue;
        }
        let owner = Owner::Patient(change.id.into());
        if transaction.count_live_heads(organization, &owner).await? > 0 {
            let reason = RefusalReason::ChartNotEmpty;
            let refusal = Refusal {
                change: index,
                reason,
            };
            return Err(ApplyError::Refused(vec![refusal]).into());
        }
    }
    Ok(())
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
    transaction
        .replace_search_summaries(&rows.summaries)
        .await?;
    for (owner, key) in &rows.deleted {
        transaction
            .delete_search_summary(organization, owner, key)
            .await?;
    }
    for patient in &rows.deleted_patients {
        transaction
            .delete_demographics(organization, *patient)
            .await?;
        transaction
            .delete_patient_tokens(organization, *patient)
            .await?;
    }
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
