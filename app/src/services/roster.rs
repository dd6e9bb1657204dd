//! The rosters: each organization's patients in memory, sorted, for lists and for search by name and birth date.
//!
//! Names and birth dates have too few values to be indexed in the database: its reader could build the dictionary.
//! They are indexed in the app tier's memory instead, for no longer than the organization's branch key is open.
//! Before each use, at most once a second, the roster compares itself with the rows that hold each patient's
//! demographics (32 bytes a patient), and opens the rows that are new.

mod entry;
mod query;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use db::{Database, DemographicsRow, RosterKey};
use fhir::search::PatientQuery;
use phi::{OrganizationId, Owner, PatientId, Requested};
use roster::{Order, Page, Roster, RosterQuery};
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::services::error::ServiceError;
use crate::services::keys::Keys;

pub(crate) use entry::RosterEntry;

/// The time for which a roster is not compared with the database, unless this instance wrote.
const FRESH: Duration = Duration::from_secs(1);
/// The interval at which rosters are discarded whose branch key has closed.
const SWEEP: Duration = Duration::from_secs(5);
/// The number of rows that are read from the database at once.
const CHUNK: usize = 500;
/// The largest roster, in bytes: one million patients take less than half of it.
const LIMIT: usize = 1 << 30;

/// The rosters of the organizations in use.
#[derive(Clone, Debug)]
pub(crate) struct Rosters {
    database: Database,
    keys: Keys,
    open: Arc<Mutex<HashMap<OrganizationId, Arc<OrganizationSlot>>>>,
}

/// One organization's roster.
#[derive(Debug, Default)]
struct OrganizationSlot {
    /// Incremented when this instance changes demographics.
    changes: AtomicU64,
    /// Held by the one task that refreshes the roster.
    cached: Arc<tokio::sync::Mutex<Option<CachedRoster>>>,
}

/// A roster, and the state of the database that it shows.
#[derive(Clone, Debug)]
struct CachedRoster {
    roster: SharedRoster,
    compared: Instant,
    changes: u64,
}

/// A roster that is read while it is not refreshed.
#[derive(Clone, Debug)]
pub(crate) struct SharedRoster(Arc<RwLock<Roster>>);

impl Rosters {
    /// Rosters over these services, none of them open. Must be called within a tokio runtime.
    pub(crate) fn new(database: Database, keys: Keys) -> Self {
        let rosters = Self {
            database,
            keys,
            open: Arc::default(),
        };
        tokio::spawn(rosters.clone().discard_closed());
        rosters
    }

    /// Notes that this instance changed the demographics of one of the organization's patients.
    pub(crate) fn changed(&self, organization: OrganizationId) {
        let slot = self.slot(organization);
        slot.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// The organization's roster, at most a second behind the database and not behind this instance's own writes.
    ///
    /// # Errors
    ///
    /// Keys or database are unavailable, or a row does not open.
    pub(crate) async fn of(
        &self,
        organization: OrganizationId,
    ) -> Result<SharedRoster, ServiceError> {
        // Without the branch key nothing below may be used.
        self.keys.authorization(organization).await?;
        let slot = self.slot(organization);
        let cached = Arc::clone(&slot.cached).lock_owned().await;
        let changes = slot.changes.load(Ordering::SeqCst);
        let now = Instant::now();
        if let Some(fresh) = cached.as_ref()
            && fresh.changes == changes
            && fresh.compared + FRESH > now
        {
            return Ok(fresh.roster.clone());
        }
        // A task of its own: a client that disconnects does not end what the next one would begin again.
        let refresh = self.clone().refresh(organization, cached, changes, now);
        let refreshed = tokio::spawn(refresh.in_current_span()).await;
        refreshed.map_err(ServiceError::internal)?
    }

    async fn refresh(
        self,
        organization: OrganizationId,
        mut cached: OwnedMutexGuard<Option<CachedRoster>>,
        changes: u64,
        now: Instant,
    ) -> Result<SharedRoster, ServiceError> {
        // Taken out: a roster whose refresh fails is built again.
        let roster = cached.take().map(|it| it.roster);
        let roster =
            roster.unwrap_or_else(|| SharedRoster(Arc::new(RwLock::new(Roster::new(LIMIT)))));
        let current = self.database.roster_keys(organization).await?;
        let stale = roster.keep(&current);
        for chunk in stale.chunks(CHUNK) {
            let rows = self.database.demographics(organization, chunk).await?;
            self.insert(organization, &roster, rows).await?;
        }
        *cached = Some(CachedRoster {
            roster: roster.clone(),
            compared: now,
            changes,
        });
        Ok(roster)
    }

    /// Opens rows and adds them to the roster. The seal of an entry binds it to its patient and row.
    async fn insert(
        &self,
        organization: OrganizationId,
        roster: &SharedRoster,
        rows: Vec<DemographicsRow>,
    ) -> Result<(), ServiceError> {
        let wanted: Vec<_> = rows
            .iter()
            .filter_map(|row| Some((Owner::Patient(row.patient), row.roster_entry.key_id()?)))
            .collect();
        self.keys.prefetch(organization, wanted).await?;
        let mut entries = Vec::with_capacity(rows.len());
        for row in rows {
            let requested = Requested {
                organization,
                owner: Owner::Patient(row.patient),
                row: row.row_id,
            };
            let entry = self.keys.open(requested, &row.roster_entry).await?;
            entries.push((row.patient, row.row_id, RosterEntry::from_bytes(&entry)?));
        }
        let mut roster = roster.0.write().unwrap_or_else(PoisonError::into_inner);
        for (patient, row, entry) in &entries {
            let inserted = entry.insert(&mut roster, *patient, *row);
            inserted.map_err(|roster::Full| {
                ServiceError::internal("the organization has more patients than a roster holds")
            })?;
        }
        Ok(())
    }

    fn slot(&self, organization: OrganizationId) -> Arc<OrganizationSlot> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(open.entry(organization).or_default())
    }

    /// Discards, for the life of the process, every roster whose branch key has closed.
    async fn discard_closed(self) {
        let mut interval = tokio::time::interval(SWEEP);
        loop {
            interval.tick().await;
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.retain(|organization, _| self.keys.is_warm(*organization));
        }
    }
}

impl SharedRoster {
    /// A page of all patients.
    pub(crate) fn page(&self, order: Order, skip: usize, take: usize) -> Page {
        self.read().page(order, skip, take)
    }

    /// The patients that match names and birth dates, `among` some if given.
    pub(crate) fn search(
        &self,
        query: &PatientQuery,
        among: Option<&[Uuid]>,
        order: Order,
        take: usize,
    ) -> Page {
        let query = RosterQuery {
            conditions: query::conditions(query),
            among,
        };
        self.read().search(&query, order, 0, take)
    }

    /// Removes what is not current, and returns the patients whose rows are to be read.
    fn keep(&self, current: &[RosterKey]) -> Vec<PatientId> {
        let rows: HashMap<Uuid, Uuid> = current
            .iter()
            .map(|key| (key.patient.uuid(), key.row_id.uuid()))
            .collect();
        let mut roster = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let gone: Vec<Uuid> = roster
            .rows()
            .map(|(patient, _)| patient)
            .filter(|patient| !rows.contains_key(patient))
            .collect();
        for patient in gone {
            roster.remove(patient);
        }
        let is_stale = |key: &&RosterKey| roster.row(key.patient.uuid()) != Some(key.row_id.uuid());
        current
            .iter()
            .filter(is_stale)
            .map(|key| key.patient)
            .collect()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Roster> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}
