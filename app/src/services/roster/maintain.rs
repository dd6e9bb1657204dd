//! The task of one roster: builds it, updates it from the change feed, and ends when the branch key
//! closes.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use phi::OrganizationId;
use phi::PatientId;

use super::Rosters;
use super::build::OpenedEntry;
use super::build::RosterReader;
use super::build::full_error;
use super::slot::CachedRoster;
use super::slot::OrganizationSlot;
use super::slot::Progress;
use super::slot::SharedRoster;
use super::slot::State;
use crate::limits;
use crate::services::error::ServiceError;
use crate::services::feed::ChangeBatch;
use crate::services::feed::FollowedFeed;

/// Interval at which the task checks whether the branch key is still open.
const KEY_CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// Wait before changed patients that could not be read are read again.
const RETRY_DELAY: Duration = Duration::from_millis(500);
/// Maximum changed patients that are read by one statement, and updated under one lock.
const PATIENTS_PER_UPDATE: usize = 200;

/// The reason why a roster is not updated any more, other than an error.
enum RosterEnd {
    /// The branch key has closed, or the memory is needed.
    Discarded,
    /// Changes were skipped: the roster must be built again.
    Outdated,
}

impl Rosters {
    /// Runs the task of a roster. After a panic, the roster is not read any more: an update may be
    /// incomplete.
    pub(super) async fn supervise(self, organization: OrganizationId, slot: Arc<OrganizationSlot>) {
        let task = tokio::spawn(self.clone().maintain(organization, Arc::clone(&slot)));
        if let Err(panicked) = task.await {
            let error = ServiceError::from(panicked);
            self.remove(organization, &slot);
            slot.publish(State::Failed(error));
        }
    }

    /// Builds and updates the roster of an organization until its branch key closes.
    async fn maintain(self, organization: OrganizationId, slot: Arc<OrganizationSlot>) {
        let feed = self.feed.follow(organization);
        let outcome = loop {
            match self.build_and_update(organization, &slot, &feed).await {
                Ok(RosterEnd::Outdated) => slot.publish(State::Building(Progress::default())),
                Ok(RosterEnd::Discarded) => {
                    break ServiceError::unavailable(
                        "the roster was discarded: its branch key closed, or the memory was needed",
                    );
                }
                Err(error) => break error,
            }
        };
        feed.stop_collecting();
        if matches!(outcome, ServiceError::Internal | ServiceError::RosterFull) {
            // A permanent failure would recur at once: requests meanwhile get it, and start no new
            // task.
            slot.publish(State::Failed(outcome));
            tokio::time::sleep(KEY_CHECK_INTERVAL).await;
        }
        // Removed before the failure is published, so that a request that is retried after it
        // starts a new task.
        self.remove(organization, &slot);
        slot.publish(State::Failed(outcome));
    }

    /// Builds the roster, then updates it in place.
    async fn build_and_update(
        &self,
        organization: OrganizationId,
        slot: &OrganizationSlot,
        feed: &FollowedFeed,
    ) -> Result<RosterEnd, ServiceError> {
        // The semaphore is never closed.
        let permit = self.build_permits.acquire().await;
        let mut through = feed.start_collecting().await;
        let reader = RosterReader {
            database: self.database.clone(),
            keys: self.keys.clone(),
            organization,
        };
        let progress = |progress| slot.publish(State::Building(progress));
        let (roster, unopened) = reader.build(limits::MAX_ROSTER_BYTES, progress).await?;
        drop(permit);
        let roster = SharedRoster::new(roster);
        let mut unopened: HashSet<PatientId> = unopened.into_iter().collect();
        loop {
            slot.publish(State::Ready(CachedRoster {
                roster: roster.clone(),
                through,
                generation: slot.next_generation(),
                unopened: unopened.iter().copied().collect(),
            }));
            self.evict_except(organization);
            let Some(batch) = self.next_batch(organization, slot, feed).await else {
                return Ok(RosterEnd::Discarded);
            };
            if batch.rebuild {
                return Ok(RosterEnd::Outdated);
            }
            through = batch.through;
            for patients in batch.patients.chunks(PATIENTS_PER_UPDATE) {
                let opened = reader.read_with_retry(patients).await?;
                update(&roster, patients, opened, &mut unopened)?;
            }
        }
    }

    /// The next changes; none once the roster is to be discarded.
    async fn next_batch(
        &self,
        organization: OrganizationId,
        slot: &OrganizationSlot,
        feed: &FollowedFeed,
    ) -> Option<ChangeBatch> {
        loop {
            if !self.keys.is_open(organization) {
                return None;
            }
            tokio::select! {
                batch = feed.next_batch() => return Some(batch),
                () = slot.discarded() => return None,
                () = tokio::time::sleep(KEY_CHECK_INTERVAL) => {}
            }
        }
    }
}

impl RosterReader {
    /// Reads entries. Retries while the database or the keys are unavailable and the branch key is
    /// open.
    async fn read_with_retry(
        &self,
        patients: &[PatientId],
    ) -> Result<Vec<OpenedEntry>, ServiceError> {
        loop {
            match self.read(patients).await {
                Err(ServiceError::Unavailable(_)) if self.keys.is_open(self.organization) => {
                    tokio::time::sleep(RETRY_DELAY).await;
                }
                opened => return opened,
            }
        }
    }
}

/// Updates the roster with the entries that were read of `patients`. A patient without an entry was
/// deleted.
fn update(
    roster: &SharedRoster,
    patients: &[PatientId],
    opened: Vec<OpenedEntry>,
    unopened: &mut HashSet<PatientId>,
) -> Result<(), ServiceError> {
    let mut roster = roster.write();
    let mut deleted: HashSet<PatientId> = patients.iter().copied().collect();
    for OpenedEntry { patient, entry } in opened {
        deleted.remove(&patient);
        let Some(entry) = entry else {
            unopened.insert(patient);
            continue;
        };
        unopened.remove(&patient);
        let upsert = |fields: &roster::PatientFields<'_>| roster.upsert(patient.uuid(), fields);
        entry.with_fields(upsert).map_err(full_error)?;
    }
    for patient in deleted {
        unopened.remove(&patient);
        roster.remove(patient.uuid());
    }
    Ok(())
}
