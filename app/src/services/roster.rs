//! Rosters: the patients of each organization in memory, sorted, for lists and for searches by all but
//! identifiers and contacts.
//!
//! Names, birth dates, addresses and codes have too little entropy for an index in the database, whose
//! reader could build a dictionary. They are indexed in the memory of the app tier instead, only while the
//! organization's branch key is open.
//!
//! A task for each organization in use builds the roster from the table of demographics (`build`)
//! and updates it from the change feed (`maintain`). Requests only read it: they wait for a short
//! time for a roster that is being built.
//!
//! Limit: an entry of the roster is bound to its patient and row by its seal, not by the row's MAC.
//! A writer to the database can put an older genuine row back, which misleads the order of lists
//! and the matches of searches until a list is to show the patient: then the row is verified.

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
use roster::Page;
use roster::PagePosition;
use roster::RosterQuery;
use roster::Start;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use uuid::Uuid;

use crate::limits;
use crate::services::budget::Budget;
use crate::services::budget::BudgetLimits;
use crate::services::budget::CallerId;
use crate::services::error::ServiceError;
use crate::services::feed::ChangeFeed;
use crate::services::keys::Keys;
use slot::OrganizationSlot;

pub(crate) use entry::RosterEntry;
pub(crate) use query::order;
pub(crate) use slot::SharedRoster;

/// The largest number of patients without a readable entry that a request reports and names.
const MAX_UNOPENED: usize = 1_000;

/// The rosters of the organizations in use.
#[derive(Clone, Debug)]
pub(crate) struct Rosters {
    database: Database,
    keys: Keys,
    feed: ChangeFeed,
    slots: Arc<Mutex<HashMap<OrganizationId, Arc<OrganizationSlot>>>>,
    /// Permits for rosters that are being built, whose memory is not counted yet.
    build_permits: Arc<Semaphore>,
    /// The budget of searches that run or wait.
    searches: Budget,
    /// Permits for searches that run.
    search_permits: Arc<Semaphore>,
}

impl Rosters {
    /// Rosters over these services, none of them built.
    pub(crate) fn new(database: Database, keys: Keys, feed: ChangeFeed) -> Self {
        Self {
            database,
            keys,
            feed,
            slots: Arc::default(),
            build_permits: Arc::new(Semaphore::new(limits::MAX_ROSTER_BUILDS)),
            searches: Budget::new(BudgetLimits {
                total: limits::MAX_SEARCHES,
                per_caller: limits::MAX_CALLER_SEARCHES,
                // The last quarter is for callers with one search.
                reserved_for_small: limits::MAX_CALLER_SEARCHES,
                max_small: 1,
            }),
            search_permits: Arc::new(Semaphore::new(limits::MAX_RUNNING_SEARCHES)),
        }
    }

    /// The `take` patients that match a query, in its order, from the beginning or after a position.
    /// The search runs on a blocking thread, because
    /// its time grows with the number of patients, and waits for a permit.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Unavailable`] if too many searches wait.
    pub(crate) async fn search(
        &self,
        roster: &SharedRoster,
        caller: CallerId,
        query: &PatientQuery,
        among: Option<Vec<Uuid>>,
        (after, take): (Option<PagePosition>, usize),
    ) -> Result<Page, ServiceError> {
        let reservation = self.searches.reserve(caller, 1)?;
        let permit = Arc::clone(&self.search_permits).acquire_owned().await;
        let (roster, conditions) = (roster.clone(), query::conditions(query));
        let order = query::order(query.sort);
        let page = spawn_blocking(move || {
            // Held until the search ends, also if the client disconnects.
            let _held = (reservation, permit);
            let among = among.as_deref();
            let start = after.as_ref().map_or(Start::Skip(0), Start::After);
            roster.search(&RosterQuery { conditions, among }, order, start, take)
        });
        Ok(page.await?)
    }

    /// The organization's current roster: with all changes of this instance, and at most a second
    /// behind those of other instances.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Preparing`] while the roster is being built; [`ServiceError::Unavailable`]
    /// while the feed, the keys or the database are unavailable; [`ServiceError::RosterFull`] if
    /// the roster does not fit into memory.
    pub(crate) async fn current(
        &self,
        organization: OrganizationId,
    ) -> Result<SharedRoster, ServiceError> {
        // Without the branch key the roster must not be used.
        self.keys.authorization(organization).await?;
        let slot = self.slot(organization);
        let feed = self.feed.follow(organization);
        let own_sequence = feed.own_sequence();
        if !slot.contains_change(own_sequence) {
            self.feed.poll_now();
        }
        let ready = async {
            let needed = feed.current_sequence().await.max(own_sequence);
            slot.wait_for(|ready| ready.through >= needed).await
        };
        let ready = match timeout(limits::ROSTER_TIMEOUT, ready).await {
            Ok(ready) => ready?,
            Err(_elapsed) => return Err(slot.unready_error()),
        };
        let mut reread: Vec<_> = slot.suspects().iter().copied().collect();
        reread.extend(ready.unopened.iter());
        if reread.is_empty() {
            return Ok(ready.roster);
        }
        // A damaged row may have been repaired, which appends no change to the feed.
        feed.redeliver(reread);
        let updated = slot.wait_for(|state| state.generation > ready.generation);
        let updated = match timeout(limits::ROSTER_TIMEOUT, updated).await {
            Ok(updated) => updated?,
            Err(_elapsed) => return Err(slot.unready_error()),
        };
        for patient in updated.unopened.iter().take(MAX_UNOPENED) {
            let reason = "a roster entry cannot be opened";
            let patient = Some(patient.uuid());
            let _reported = Tampering::report("demographics", reason, organization, patient);
        }
        Ok(updated.roster)
    }

    /// The patients whose entries cannot be opened, at most [`MAX_UNOPENED`]: they are missing from
    /// lists and searches, or have their former place.
    pub(crate) fn unopened(&self, organization: OrganizationId) -> Vec<PatientId> {
        let mut unopened = self.slot(organization).unopened();
        unopened.truncate(MAX_UNOPENED);
        unopened
    }

    /// Notes whether the row of a patient was current when a list was to show it. If it was not,
    /// the roster may have been built from an older row, too: it reads the patient again at each
    /// use, until a list finds the current row.
    pub(crate) fn on_listed(
        &self,
        organization: OrganizationId,
        patient: PatientId,
        is_current: bool,
    ) {
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

    /// The slot of an organization. Its task is started if there is none.
    fn slot(&self, organization: OrganizationId) -> Arc<OrganizationSlot> {
        let mut slots = self.slots();
        let slot = slots.entry(organization).or_insert_with(|| {
            let slot = Arc::new(OrganizationSlot::default());
            tokio::spawn(self.clone().supervise(organization, Arc::clone(&slot)));
            slot
        });
        slot.last_use.touch();
        Arc::clone(slot)
    }

    /// Removes a slot whose task has ended.
    fn remove(&self, organization: OrganizationId, slot: &Arc<OrganizationSlot>) {
        let mut slots = self.slots();
        if slots
            .get(&organization)
            .is_some_and(|current| Arc::ptr_eq(current, slot))
        {
            slots.remove(&organization);
        }
    }

    /// Evicts the least recently used rosters, except one, until the others fit into memory.
    fn evict_except(&self, exempt: OrganizationId) {
        let slots = self.slots();
        let mut others: Vec<_> = slots.iter().filter(|(id, _)| **id != exempt).collect();
        others.sort_unstable_by_key(|(_, slot)| std::cmp::Reverse(slot.last_use.idle()));
        let mut bytes: usize = slots.values().map(|slot| slot.bytes()).sum();
        for (_, slot) in others {
            if bytes <= limits::MAX_ROSTERS_BYTES {
                break;
            }
            bytes -= slot.bytes();
            slot.discard();
        }
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<OrganizationId, Arc<OrganizationSlot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
