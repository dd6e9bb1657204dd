//! Atomic writes, each committed together with its audit event.
//!
//! `plan` compares the changes with the stored resources, outside any transaction; `sealed_rows`
//! seals the rows to write; then the transaction locks the owners and the heads, checks that the
//! plan is current (`locked_heads`) and that conditions hold (`condition_check`), and writes. After
//! a conflict with a concurrent transaction all of this is repeated.

use std::time::Duration;

use access::CallerEvent;
use access::Disclosed;
use access::NotPhi;
use access::record_creation;
use db::CareTeamMemberRow;
use db::Transaction;
use phi::OrganizationId;
use phi::Owner;
use phi::PatientId;
use phi::PersonId;
use time::OffsetDateTime;

use super::Applied;
use super::Change;
use super::Effect;
use super::Records;
use super::Refusal;
use super::RefusalReason;
use super::condition_check::Conditions;
use super::locked_heads::locked_keys;
use super::owner_of;
use super::owners::orphan_is_tampering;
use super::plan::Attempt;
use super::plan::WritePlan;
use super::sealed_rows::SealedRows;
use super::write_error::ApplyError;
use super::write_error::WriteError;
use crate::services::care_teams::new_member;
use crate::services::error::ServiceError;
use crate::services::feed;
use crate::services::written_row::written_row;
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
        let mut attempt = Attempt::First;
        for _ in 0..MAX_ATTEMPTS {
            let attempted = self.attempt(changes, attempt).await;
            attempt = Attempt::Further;
            let error = match attempted {
                Ok(applied) => return Ok(applied),
                Err(WriteError::UnverifiedOwner) => continue,
                Err(WriteError::Conflict) => {
                    // The other transaction is given time to end: an immediate retry may meet its locks again.
                    tokio::time::sleep(delay).await;
                    delay *= 2;
                    continue;
                }
                Err(WriteError::Destroyed(owner)) => owner_destroyed(changes, owner),
                Err(WriteError::Final(error)) => error,
            };
            let ApplyError::Refused(refusals) = &error else {
                return Err(error);
            };
            if let Some(conditions) = Conditions::of(changes) {
                // A concurrent write may be the reason for the refusal, and what a condition finds now.
                match self.verify_conditions(&conditions).await {
                    Ok(()) => {}
                    Err(
                        WriteError::Conflict
                        | WriteError::UnverifiedOwner
                        | WriteError::Destroyed(_),
                    ) => {
                        return Err(ApplyError::ConditionChanged);
                    }
                    Err(WriteError::Final(error)) => return Err(error),
                }
            }
            self.record_refused(changes, refusals).await?;
            return Err(error);
        }
        let cause = "too many concurrent writes of the same records";
        Err(ServiceError::unavailable(cause).into())
    }

    async fn attempt(
        &self,
        changes: &[Change<'_>],
        attempt: Attempt,
    ) -> Result<Disclosed<Vec<Applied>>, WriteError> {
        let Some(first) = changes.first() else {
            return Ok(NotPhi::assert(Vec::new(), "no results").into());
        };
        let organization = first.permitted.caller().organization();
        let plan = self.plan(organization, changes, attempt).await?;
        let records: Vec<_> = plan
            .steps_of(changes)
            .map(|(change, step)| (&change.permitted, change.record(Some(step.version))))
            .collect();
        let created = created_patients(changes, &plan).collect();
        let write = record_creation(&self.trail, &records, &created).await;
        let write = write.map_err(|error| ApplyError::from(ServiceError::from(error)))?;
        let now = self.clock.now();
        let commit = write.commit(|event| self.write(changes, &plan, event, now));
        let (receipt, ()) = commit.await?;
        Ok(receipt.disclose(plan.applied(now)))
    }

    /// Writes the plan in one transaction, with its audit event.
    async fn write(
        &self,
        changes: &[Change<'_>],
        plan: &WritePlan,
        event: CallerEvent,
        now: OffsetDateTime,
    ) -> Result<(), WriteError> {
        let organization = plan.organization;
        let rows = self.seal_rows(organization, changes, plan, now).await?;
        let event = self.trail.seal_event(event).await?;
        let key = self.keys.authorization(organization).await;
        let key = key.map_err(ApplyError::from)?;
        let conditions = Conditions::of(changes);
        if let Some(conditions) = &conditions {
            let loaded = self.load_condition_keys(conditions).await;
            loaded.map_err(ApplyError::from)?;
        }
        let mut transaction = self.database.begin().await?;
        let owners = self.write_owners(&mut transaction, plan, &key, &rows, conditions.as_ref());
        let owners = owners.await?;
        let locked = transaction
            .lock_resources(organization, &locked_keys(changes, plan))
            .await?;
        self.verify_locked(changes, plan, &locked).await?;
        store_rows(&mut transaction, organization, &rows).await?;
        refuse_unfinished_charts(&mut transaction, organization, changes, plan).await?;
        let members = first_members(changes, plan, now).into_iter();
        let members: Vec<_> = members.map(|member| key.authenticate(member)).collect();
        transaction.insert_care_team_members(&members).await?;
        let mut listed = rows.written;
        listed.extend(owners);
        listed.extend(members.iter().map(written_row));
        let stored = rows.patients.iter();
        let stored = stored.map(|patient| patient.demographics.patient);
        let patients = stored.chain(rows.deleted_patients.iter().copied());
        let mut feed_changes: Vec<_> = patients.map(feed::Change::demographics).collect();
        feed_changes.extend(
            members
                .first()
                .map(|it| feed::Change::grant(it.person.uuid())),
        );
        let event = event.with_rows(listed).with_changes(feed_changes);
        Ok(self.trail.commit_with(transaction, event).await?)
    }
}

/// The patients that the changes create: whose first version they write.
fn created_patients<'a>(
    changes: &'a [Change<'_>],
    plan: &'a WritePlan,
) -> impl Iterator<Item = PatientId> + 'a {
    let steps = plan.steps_of(changes).filter(|(change, step)| {
        change.stores_patient() && step.effect == Effect::Created && step.version == 1
    });
    steps.map(|(change, _)| PatientId::from_uuid(change.id))
}

/// The memberships by which a caller that is limited to care teams reaches the charts of the patients that the changes create.
fn first_members(
    changes: &[Change<'_>],
    plan: &WritePlan,
    now: OffsetDateTime,
) -> Vec<CareTeamMemberRow> {
    let caller = changes.first().map(|change| change.permitted.caller());
    let limited = caller.filter(|it| it.charts().is_some_and(|it| !it.is_whole_organization()));
    let Some(caller) = limited else {
        return Vec::new();
    };
    let person = PersonId::from_uuid(caller.person());
    let member = |patient| new_member((plan.organization, patient), person, person, now);
    created_patients(changes, plan).map(member).collect()
}

/// The refusal of every change to a destroyed owner's data.
fn owner_destroyed(changes: &[Change<'_>], destroyed: Owner) -> ApplyError {
    let reason = RefusalReason::OwnerDestroyed;
    let refusals = changes.iter().enumerate().filter_map(|(change, it)| {
        let owner = owner_of(it.permitted.caller().organization(), it.owner);
        (owner == destroyed).then_some(Refusal::new(change, reason))
    });
    ApplyError::Refused(refusals.collect())
}

/// Refuses to delete a Patient whose chart has other resources. The owner's row is locked.
async fn refuse_unfinished_charts(
    transaction: &mut Transaction,
    organization: OrganizationId,
    changes: &[Change<'_>],
    plan: &WritePlan,
) -> Result<(), WriteError> {
    for (index, (change, step)) in plan.steps_of(changes).enumerate() {
        let is_patient = change.resource_type == ResourceType::Patient;
        if !is_patient || step.effect != Effect::Deleted {
            continue;
        }
        let owner = Owner::Patient(change.id.into());
        if transaction.count_live_heads(organization, &owner).await? > 0 {
            let reason = RefusalReason::ChartNotEmpty;
            return Err(ApplyError::Refused(vec![Refusal::new(index, reason)]).into());
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
    // The tokens of all patients are removed first: one may have the record number that another gives up.
    for patient in rows.patients.iter().filter(|it| !it.is_new) {
        let id = patient.demographics.patient;
        transaction.delete_patient_tokens(organization, id).await?;
    }
    for patient in &rows.patients {
        let (row, is_new) = (&patient.demographics, patient.is_new);
        let fields = transaction.replace_demographics(row, is_new).await;
        fields.map_err(orphan_is_tampering("demographics", organization))?;
        let (id, tokens) = (row.patient, &patient.tokens);
        let tokens = transaction.insert_patient_tokens(organization, id, tokens);
        match tokens.await {
            Err(db::Error::UniqueViolation("patient_index_unique")) => {
                // A concurrent transaction has used the number since the plan was made.
                let reason = RefusalReason::MedicalRecordNumberTaken;
                let refusal = Refusal::new(patient.change, reason);
                return Err(ApplyError::Refused(vec![refusal]).into());
            }
            done => done.map_err(orphan_is_tampering("patient_index", organization))?,
        }
    }
    Ok(())
}
