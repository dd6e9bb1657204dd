//! The rosters: each organization's patients in memory, sorted, for lists and for search by name and birth date.
//!
//! Names and birth dates have too few values to be indexed in the database: its reader could build the dictionary.
//! They are indexed in the app tier's memory instead, for no longer than the organization's branch key is open.
//!
//! A task for each organization in use builds the roster from the table of demographics (`build`) and keeps it current
//! from the change feed (`maintain`). Requests only read it: they wait a moment for a roster that is not there yet,
//! and never build one.
//!
//! Limit: an entry of the roster is bound to its patient and row by its seal, not by the row's MAC. A writer to the
//! database can put an older genuine row back, which misleads the order of a list and the matches of a search until
//! a list is to show the patient: then the row is verified.

mod build;
mod entry;
mod maintain;
mod query;
mod slot;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use db::Database;
use fhir::search::PatientQuery;
use phi::OrganizationId;
use phi::PatientId;
use phi::Tampering;
use roster::Order;
use roster::Page;
use roster::RosterQuery;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use uuid::Uuid;

use crate::limits;
use crate::services::budget::Budget;
use crate::services::budget::BudgetLimits;
use crate::services::budget::Share;
use crate::services::error::ServiceError;
use crate::services::feed::ChangeFeed;
use crate::services::keys::Keys;
use slot::Slot;

pub(crate) use entry::RosterEntry;
pub(crate) use slot::SharedRoster;

/// The rosters of the organizations in use.
#[derive(Clone, Debug)]
pub(crate) struct Rosters {
    database: Database,
    keys: Keys,
    feed: ChangeFeed,
    slots: Arc<Mutex<HashMap<OrganizationId, Arc<Slot>>>>,
    /// Held by a task that builds, whose memory is not counted yet.
    building: Arc<Semaphore>,
    /// Searches that run or wait for their turn.
    searches: Budget,
    /// Held by searches that run.
    searching: Arc<Semaphore>,
}

impl Rosters {
    /// Rosters over these services, none of them built.
    pub(crate) fn new(database: Database, keys: Keys, feed: ChangeFeed) -> Self {
        Self {
            database,
            keys,
            feed,
            slots: Arc::default(),
            building: Arc::new(Semaphore::new(limits::MAX_BUILDING_ROSTERS)),
            searches: Budget::new(BudgetLimits {
                total: limits::MAX_SEARCHES,
                per_caller: limits::MAX_CALLER_SEARCHES,
                // The last places are for callers with one search.
                for_small: limits::MAX_CALLER_SEARCHES,
                small: 1,
            }),
            searching: Arc::new(Semaphore::new(limits::MAX_RUNNING_SEARCHES)),
        }
    }

    /// A page of the patients that match a query. It is found on a thread of its own, because the work grows with the
    /// number of patients; a caller's searches wait for their turn, a few at once.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Unavailable`] if too many searches wait.
    pub(crate) async fn search(
        &self,
        roster: &SharedRoster,
        share: Share,
        query: &PatientQuery,
        among: Option<Vec<Uuid>>,
        order: Order,
        take: usize,
    ) -> Result<Page, ServiceError> {
        let place = self.searches.reserve(share, 1)?;
        let turn = Arc::clone(&self.searching).acquire_owned().await;
        let (roster, conditions) = (roster.clone(), query::conditions(query));
        let page = spawn_blocking(move || {
            // Held until the search is done, also after the client has disconnected.
            let _held = (place, turn);
            let among = among.as_deref();
            roster.search(&RosterQuery { conditions, among }, order, take)
        });
        Ok(page.await?)
    }

    /// The organization's roster: with everything that this instance has written, and at most a second behind other
    /// instances.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Preparing`] while it is being built; [`ServiceError::Unavailable`] while the feed, the keys or the
    /// database are; [`ServiceError::RosterFull`] if it does not fit into memory; [`ServiceError::Internal`] if an entry does not open.
    pub(crate) async fn of(
        &self,
        organization: OrganizationId,
    ) -> Result<SharedRoster, ServiceError> {
        // Without the branch key nothing below may be used.
        self.keys.authorization(organization).await?;
        let slot = self.slot(organization);
        let feed = self.feed.follow(organization);
        let own = feed.own();
        if !slot.is_through(own) {
            self.feed.poll_now();
        }
        let ready = async {
            let needed = feed.current().await.max(own);
            slot.ready(|ready| ready.through >= needed).await
        };
        let ready = match timeout(limits::ROSTER_TIMEOUT, ready).await {
            Ok(ready) => ready?,
            Err(_elapsed) => return Err(slot.unready()),
        };
        let mut doubtful: Vec<_> = slot.suspects().iter().copied().collect();
        doubtful.extend(ready.damaged.iter());
        if doubtful.is_empty() {
            return Ok(ready.roster);
        }
        // What was damaged may have been put right: no change of the feed says so.
        feed.redeliver(doubtful);
        let again = slot.ready(|state| state.round > ready.round);
        let again = match timeout(limits::ROSTER_TIMEOUT, again).await {
            Ok(again) => again?,
            Err(_elapsed) => return Err(slot.unready()),
        };
        match again.damaged.first() {
            None => Ok(again.roster),
            Some(patient) => {
                let reason = "a roster entry does not open";
                let patient = Some(patient.uuid());
                Err(Tampering::report("demographics", reason, organization, patient).into())
            }
        }
    }

    /// Notes whether the row by which a list showed a patient was the current one. While it was not, the roster may have
    /// been built from another one too: it reads the patient again at each use.
    pub(crate) fn note(&self, organization: OrganizationId, patient: PatientId, is_current: bool) {
        let Some(slot) = self.slots().get(&organization).map(Arc::clone) else {
            return;
        };
        let mut suspects = slot.suspects();
        if is_current {
            suspects.remove(&patient);
        } else {
            suspects.insert(patient);
        }
    }

    /// The slot of an organization, whose task is started if there is none.
    fn slot(&self, organization: OrganizationId) -> Arc<Slot> {
        let mut slots = self.slots();
        let slot = slots.entry(organization).or_insert_with(|| {
            let slot = Arc::new(Slot::default());
            tokio::spawn(self.clone().supervise(organization, Arc::clone(&slot)));
            slot
        });
        slot.used.touch();
        Arc::clone(slot)
    }

    /// Removes a slot whose task has ended.
    fn remove(&self, organization: OrganizationId, slot: &Arc<Slot>) {
        let mut slots = self.slots();
        if slots
            .get(&organization)
            .is_some_and(|open| Arc::ptr_eq(open, slot))
        {
            slots.remove(&organization);
        }
    }

    /// Discards the rosters that were not used for the longest time, until the others fit into memory.
    fn make_room(&self, kept: OrganizationId) {
        let slots = self.slots();
        let mut others: Vec<_> = slots.iter().filter(|(id, _)| **id != kept).collect();
        others.sort_unstable_by_key(|(_, slot)| std::cmp::Reverse(slot.used.idle()));
        let mut bytes: usize = slots.values().map(|slot| slot.bytes()).sum();
        for (_, slot) in others {
            if bytes <= limits::MAX_ROSTERS_BYTES {
                break;
            }
            bytes -= slot.bytes();
            slot.discard();
        }
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<OrganizationId, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
