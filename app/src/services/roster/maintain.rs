//! The task of one roster: builds it, keeps it current, and discards it with its branch key.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use phi::OrganizationId;
use phi::PatientId;

use super::Rosters;
use super::build::Opened;
use super::build::RosterReader;
use super::slot::Progress;
use super::slot::Ready;
use super::slot::SharedRoster;
use super::slot::Slot;
use super::slot::State;
use crate::limits;
use crate::services::error::ServiceError;
use crate::services::feed::Batch;
use crate::services::feed::Followed;

/// The interval at which the task looks whether the branch key is still open.
const SWEEP: Duration = Duration::from_secs(5);
/// The wait before changes that could not be read are read again.
const RETRY: Duration = Duration::from_millis(500);
/// Patients that are read, and entered under one lock, at once.
const CHUNK: usize = 200;

/// What ends a task without an error.
enum Ended {
    /// The branch key was closed, or the memory is needed.
    Discarded,
    /// The feed has a gap: the roster is built again.
    Rebuild,
}

impl Rosters {
    /// Runs the task of a roster. If it panics, the roster is not read any more: it may be changed in part.
    pub(super) async fn supervise(self, organization: OrganizationId, slot: Arc<Slot>) {
        let task = tokio::spawn(self.clone().maintain(organization, Arc::clone(&slot)));
        if let Err(panicked) = task.await {
            let error = ServiceError::from(panicked);
            self.remove(organization, &slot);
            slot.publish(State::Failed(error));
        }
    }

    /// Builds the roster of an organization and keeps it current until its branch key closes.
    async fn maintain(self, organization: OrganizationId, slot: Arc<Slot>) {
        let feed = self.feed.follow(organization);
        let outcome = loop {
            match self.build_and_follow(organization, &slot, &feed).await {
                Ok(Ended::Rebuild) => slot.publish(State::Building(Progress::default())),
                Ok(Ended::Discarded) => {
                    break ServiceError::unavailable(
                        "the roster was discarded: its branch key closed, or the memory was needed",
                    );
                }
                Err(error) => break error,
            }
        };
        feed.release();
        if matches!(outcome, ServiceError::Internal | ServiceError::RosterFull) {
            // What fails for a reason of its own fails again: it is not tried with every request.
            slot.publish(State::Failed(outcome));
            tokio::time::sleep(SWEEP).await;
        }
        // Removed first: a request that sees the failure and is sent again gets a new task.
        self.remove(organization, &slot);
        slot.publish(State::Failed(outcome));
    }

    /// Builds the roster once, then changes it in place.
    async fn build_and_follow(
        &self,
        organization: OrganizationId,
        slot: &Slot,
        feed: &Followed,
    ) -> Result<Ended, ServiceError> {
        // Never closed.
        let turn = self.building.acquire().await;
        let mut through = feed.consume().await;
        let reader = RosterReader {
            database: self.database.clone(),
            keys: self.keys.clone(),
            organization,
        };
        let progress = |progress| slot.publish(State::Building(progress));
        let (roster, damaged) = reader.build(limits::MAX_ROSTER_BYTES, progress).await?;
        drop(turn);
        let roster = SharedRoster::new(roster);
        let mut damaged: HashSet<PatientId> = damaged.into_iter().collect();
        loop {
            slot.publish(State::Ready(Ready {
                roster: roster.clone(),
                through,
                round: slot.next_round(),
                damaged: damaged.iter().copied().collect(),
            }));
            self.make_room(organization);
            let Some(batch) = self.next(organization, slot, feed).await else {
                return Ok(Ended::Discarded);
            };
            if batch.reload {
                return Ok(Ended::Rebuild);
            }
            through = batch.through;
            for patients in batch.patients.chunks(CHUNK) {
                let opened = reader.read_with_retry(patients).await?;
                apply(&roster, patients, opened, &mut damaged)?;
            }
        }
    }

    /// The next changes; nothing once the roster is to be discarded.
    async fn next(
        &self,
        organization: OrganizationId,
        slot: &Slot,
        feed: &Followed,
    ) -> Option<Batch> {
        loop {
            if !self.keys.is_open(organization) {
                return None;
            }
            tokio::select! {
                batch = feed.next() => return Some(batch),
                () = slot.discarded() => return None,
                () = tokio::time::sleep(SWEEP) => {}
            }
        }
    }
}

impl RosterReader {
    /// Reads entries, with retries while the database or the keys are unavailable; fails once the branch key is closed.
    async fn read_with_retry(&self, patients: &[PatientId]) -> Result<Vec<Opened>, ServiceError> {
        loop {
            match self.read(patients).await {
                Err(ServiceError::Unavailable(_)) if self.keys.is_open(self.organization) => {
                    tokio::time::sleep(RETRY).await;
                }
                opened => return opened,
            }
        }
    }
}

/// Enters what was read of `patients`. A patient of whom nothing was read is gone.
fn apply(
    roster: &SharedRoster,
    patients: &[PatientId],
    opened: Vec<Opened>,
    damaged: &mut HashSet<PatientId>,
) -> Result<(), ServiceError> {
    let mut roster = roster.write();
    let mut gone: HashSet<PatientId> = patients.iter().copied().collect();
    for Opened { patient, entry } in opened {
        gone.remove(&patient);
        let Some(entry) = entry else {
            damaged.insert(patient);
            continue;
        };
        damaged.remove(&patient);
        let fields = |fields: &roster::PatientFields<'_>| roster.upsert(patient.uuid(), fields);
        entry.with_fields(fields).map_err(super::build::full)?;
    }
    for patient in gone {
        damaged.remove(&patient);
        roster.remove(patient.uuid());
    }
    Ok(())
}
