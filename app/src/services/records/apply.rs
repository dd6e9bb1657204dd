//! Writes, all or nothing, each durable together with its event.
//!
//! `plan` compares the changes with what is stored, outside any transaction; `rows` seals what has to be written;
//! here the transaction locks the owners and the heads, checks that the plan is current, and writes. A transaction
//! that lost a race is retried whole.

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
use super::key_of;
use super::owner_of;
use super::owners::in_the_way;
use super::plan::Plan;
use super::rows::Rows;
use crate::services::error::ServiceError;
use crate::services::feed;
use crate::services::feed::AppendError;
use crate::services::trail::TrailError;
use fhir::Resource;
use fhir::ResourceType;
use fhir::VersionMeta;
use fhir::bundle::ResourceWrite;

/// Attempts before the client has to retry later.
const ATTEMPTS: usize = 8;

/// A resource to write, with the permit for it.
#[derive(Debug)]
pub(crate) struct Change<'caller> {
    /// The permit.
    pub(crate) permitted: Permitted<'caller, Write>,
    /// The resource type.
    pub(crate) resource_type: ResourceType,
    /// The resource's id.
    pub(crate) id: Uuid,
    /// The patient that owns it; none for what belongs to the organization.
    pub(crate) owner: Option<Uuid>,
    /// The resource, validated.
    pub(crate) resource: Resource,
    /// No resource of this id may exist.
    pub(crate) create: bool,
    /// The tokens of a patient, once they were made.
    pub(super) tokens: OnceCell<Vec<PatientToken>>,
    /// Those of them that no other patient may have.
    pub(super) unique_tokens: OnceCell<Vec<PatientToken>>,
}

impl<'caller> Change<'caller> {
    /// The change that a permitted write makes.
    pub(crate) fn new(permitted: Permitted<'caller, Write>, write: ResourceWrite) -> Self {
        Self {
            permitted,
            resource_type: write.resource_type,
            id: write.id,
            owner: write.owner,
            resource: write.resource,
            create: write.create,
            tokens: OnceCell::new(),
            unique_tokens: OnceCell::new(),
        }
    }
}

/// The effect of a change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Effect {
    /// The resource is new.
    Created,
    /// It has a new version.
    Amended,
    /// It was stored exactly as it was sent.
    Unchanged,
}

/// A change that was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Applied {
    /// The effect.
    pub(crate) effect: Effect,
    /// The resource's version now.
    pub(crate) meta: VersionMeta,
}

/// The reason why nothing was written.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum ApplyError {
    /// Changes that cannot be made, in ascending order: at least one. The others were found to be possible.
    Refused(Vec<Refusal>),
    /// Another reason, which concerns no change in particular.
    Service(ServiceError),
}

impl<E: Into<ServiceError>> From<E> for ApplyError {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

/// The reason why an attempt ended.
pub(super) enum WriteError {
    /// A concurrent transaction was first: retry.
    Conflict,
    /// The data of an owner was destroyed since the plan.
    Destroyed(Owner),
    /// Retrying does not help.
    Refused(ApplyError),
}

impl From<db::Error> for WriteError {
    fn from(error: db::Error) -> Self {
        match error {
            db::Error::Conflict | db::Error::UniqueViolation(_) => Self::Conflict,
            db::Error::Unavailable(_)
            | db::Error::NotRequested(_)
            | db::Error::Corrupt(_)
            | db::Error::Floor(_)
            | db::Error::Unexpected(_) => Self::Refused(error.into()),
        }
    }
}

impl From<TrailError> for WriteError {
    fn from(error: TrailError) -> Self {
        if let TrailError::Database(error) | TrailError::Feed(AppendError::Database(error)) = error
        {
            error.into()
        } else {
            Self::Refused(error.into())
        }
    }
}

impl From<ApplyError> for WriteError {
    fn from(error: ApplyError) -> Self {
        Self::Refused(error)
    }
}

impl Records {
    /// Makes all `changes`, or none.
    ///
    /// # Errors
    ///
    /// See [`ApplyError`]; then nothing was written.
    pub(crate) async fn apply(&self, changes: &[Change<'_>]) -> Result<Vec<Applied>, ApplyError> {
        for _ in 0..ATTEMPTS {
            let error = match self.attempt(changes).await {
                Ok(applied) => return Ok(applied),
                Err(WriteError::Conflict) => continue,
                Err(WriteError::Destroyed(owner)) => destroyed(changes, owner),
                Err(WriteError::Refused(error)) => error,
            };
            if let ApplyError::Refused(refusals) = &error {
                self.record_refused(changes, refusals).await?;
            }
            return Err(error);
        }
        let cause = "the same records are being written by too many at once";
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

    /// The transaction.
    async fn write(
        &self,
        organization: OrganizationId,
        changes: &[Change<'_>],
        plan: &Plan,
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
            .map(|change| key_of(change.resource_type, change.id))
            .collect();
        let locked = transaction.lock_resources(organization, &keys).await?;
        if !plan.is_current(&locked) {
            return Err(WriteError::Conflict);
        }
        owners.verify_replaced(&mut transaction, &locked).await?;
        store(&mut transaction, organization, &rows).await?;
        let mut listed = rows.written;
        listed.extend(owners.listed);
        let patients = rows.patients.iter();
        let patients = patients.map(|patient| patient.demographics.patient);
        let event = event
            .listing(listed)
            .changing(patients.map(feed::Change::demographics).collect());
        Ok(self.trail.commit_with(transaction, event).await?)
    }
}

/// The refusal of every change to a destroyed owner's data.
fn destroyed(changes: &[Change<'_>], destroyed: Owner) -> ApplyError {
    let reason = RefusalReason::OwnerDestroyed;
    let refusals = changes.iter().enumerate().filter_map(|(change, it)| {
        let owner = owner_of(it.permitted.caller().organization(), it.owner);
        (owner == destroyed).then_some(Refusal { change, reason })
    });
    ApplyError::Refused(refusals.collect())
}

/// Writes the rows of resources and patients.
async fn store(
    transaction: &mut Transaction,
    organization: OrganizationId,
    rows: &Rows,
) -> Result<(), WriteError> {
    let heads = transaction.insert_resources(&rows.new_heads).await;
    heads.map_err(in_the_way("resources", organization))?;
    for (head, before) in &rows.moved_heads {
        transaction.update_resource(head, before).await?;
    }
    let versions = transaction.insert_versions(&rows.versions).await;
    versions.map_err(in_the_way("resource_versions", organization))?;
    for patient in &rows.patients {
        let (row, is_new) = (&patient.demographics, patient.is_new);
        let fields = transaction.replace_demographics(row, is_new).await;
        fields.map_err(in_the_way("demographics", organization))?;
        let (id, tokens) = (row.patient, &patient.tokens);
        let tokens = transaction.replace_patient_tokens(organization, id, tokens, is_new);
        match tokens.await {
            Err(db::Error::UniqueViolation("patient_index_unique")) => {
                // Taken by a concurrent transaction since the plan.
                let (change, reason) = (patient.change, RefusalReason::RecordNumberTaken);
                return Err(ApplyError::Refused(vec![Refusal { change, reason }]).into());
            }
            done => done.map_err(in_the_way("patient_index", organization))?,
        }
    }
    Ok(())
}
