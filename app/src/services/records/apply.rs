//! Writes, all or nothing, each durable together with the event that tells of it.
//!
//! `plan` compares what is asked with what is stored, outside any transaction; `rows` seals what has
//! to be written; here the transaction holds the heads, sees that they are still what the plan saw,
//! and writes. Whoever loses a race begins anew.

use audit::{Action, Outcome};
use time::OffsetDateTime;
use uuid::Uuid;

use super::plan::{Plan, Step};
use super::rows::Rows;
use super::{Records, key_of, reference};
use crate::services::access::{Permitted, WriteRecord};
use crate::services::caller::Caller;
use crate::services::error::ServiceError;
use crate::services::ledger::LedgerError;
use fhir::{Resource, ResourceType, VersionMeta};

/// Races that are lost before the client is told to try again later.
const ATTEMPTS: usize = 8;

/// A resource to be written, by someone who may write its kind.
#[derive(Debug)]
pub(crate) struct Change {
    /// Evidence, and the kind.
    pub(crate) permitted: Permitted<WriteRecord>,
    /// The resource's id.
    pub(crate) id: Uuid,
    /// The patient who owns it; none for what belongs to the organization.
    pub(crate) owner: Option<Uuid>,
    /// The resource, checked.
    pub(crate) resource: Resource,
    /// Nothing of this id may be there yet.
    pub(crate) create: bool,
}

impl Change {
    /// The resource's kind.
    pub(crate) fn kind(&self) -> ResourceType {
        self.permitted.right().0
    }
}

/// What became of a change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Effect {
    /// The resource is new.
    Created,
    /// It has a new version.
    Amended,
    /// It stood there already, just as it was sent.
    Unchanged,
}

/// A change that was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Applied {
    /// What became of it.
    pub(crate) effect: Effect,
    /// The resource's version now.
    pub(crate) stamp: VersionMeta,
}

/// Why nothing was written. The number is the index of the change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ApplyError {
    /// The patient it belongs to is neither there nor in the same request.
    UnknownOwner(usize),
    /// It belongs to another patient already.
    OwnerChanged(usize),
    /// Its id is taken.
    AlreadyThere(usize),
    /// Its medical record number belongs to another patient.
    RecordNumberTaken(usize),
    /// Something else, about no change in particular.
    Service(ServiceError),
}

impl<E: Into<ServiceError>> From<E> for ApplyError {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

/// How one attempt ended.
enum Attempt {
    Done(Vec<Applied>),
    LostRace,
}

impl Records {
    /// Makes all `changes`, or none.
    ///
    /// # Errors
    ///
    /// See [`ApplyError`]; then nothing was written.
    pub(crate) async fn apply(
        &self,
        caller: &Caller,
        changes: &[Change],
    ) -> Result<Vec<Applied>, ApplyError> {
        for _ in 0..ATTEMPTS {
            if let Attempt::Done(applied) = self.attempt(caller, changes).await? {
                return Ok(applied);
            }
        }
        Err(
            ServiceError::unavailable("the same records are being written by too many at once")
                .into(),
        )
    }

    async fn attempt(&self, caller: &Caller, changes: &[Change]) -> Result<Attempt, ApplyError> {
        let now = self.clock.now();
        let plan = self.plan(caller.organization, changes).await?;
        let rows = self
            .seal_rows(caller.organization, changes, &plan, now)
            .await?;
        let event = self.ledger.seal(
            caller.organization,
            caller.origin.source,
            event(caller, changes, &plan, now),
        );
        let event = event.await?;
        let mut transaction = self.database.begin().await?;
        let keys: Vec<_> = changes
            .iter()
            .map(|change| key_of(change.kind(), change.id))
            .collect();
        let held = match transaction.lock_resources(caller.organization, &keys).await {
            Err(db::Error::Contended) => return Ok(Attempt::LostRace),
            held => held?,
        };
        if !plan.still_holds(&held) {
            return Ok(Attempt::LostRace);
        }
        match Self::write(&mut transaction, &rows).await {
            Ok(()) => {}
            Err(Written::LostRace) => return Ok(Attempt::LostRace),
            Err(Written::Refused(error)) => return Err(error),
        }
        match self.ledger.commit(transaction, event, &rows.digests).await {
            Ok(_receipt) => {}
            Err(LedgerError::Database(db::Error::Contended)) => return Ok(Attempt::LostRace),
            Err(error) => return Err(error.into()),
        }
        if !rows.demographics.is_empty() {
            self.rosters.changed(caller.organization);
        }
        Ok(Attempt::Done(plan.applied(now)))
    }

    async fn write(transaction: &mut db::Transaction, rows: &Rows) -> Result<(), Written> {
        transaction.insert_resources(&rows.new_heads).await?;
        for head in &rows.moved_heads {
            transaction.update_resource(head).await?;
        }
        transaction.insert_versions(&rows.versions).await?;
        for (index, row) in &rows.demographics {
            match transaction.replace_demographics(row).await {
                Err(db::Error::AlreadyThere("demographics_mrn")) => {
                    return Err(Written::Refused(ApplyError::RecordNumberTaken(*index)));
                }
                done => done?,
            }
        }
        Ok(())
    }
}

/// Why a transaction is given up.
enum Written {
    LostRace,
    Refused(ApplyError),
}

impl From<db::Error> for Written {
    fn from(error: db::Error) -> Self {
        match error {
            db::Error::Contended | db::Error::AlreadyThere(_) => Self::LostRace,
            db::Error::Unavailable(_) | db::Error::Corrupt(_) | db::Error::Unexpected(_) => {
                Self::Refused(error.into())
            }
        }
    }
}

fn event(caller: &Caller, changes: &[Change], plan: &Plan, now: OffsetDateTime) -> audit::Event {
    let records = changes
        .iter()
        .zip(&plan.steps)
        .map(|(change, step): (&Change, &Step)| {
            reference(change.kind(), change.id, Some(step.version), change.owner)
        })
        .collect();
    caller.event(now, Action::Write, Outcome::Success, records)
}
