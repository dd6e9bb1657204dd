//! The roster: an organization's patients in memory, sorted, for lists and for search by name and
//! birth date.
//!
//! Names and birth dates have too few values to be indexed in the database: whoever reads it could
//! build the dictionary. They are indexed here instead, in the app tier's memory, for no longer than
//! the organization's branch key is open. Before each use the roster asks the database which row
//! holds each patient's demographics now (32 bytes a patient), and opens the rows that are new.

mod entry;
mod order;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use db::{Database, RosterKey};
use phi::{OrganizationId, Owner, PatientId};
use tokio::time::Instant;

use crate::services::error::ServiceError;
use crate::services::keys::Keys;
use entry::Entry;
use fhir::search::PatientQuery;

pub(crate) use order::{Order, SortKey};

/// How long a roster is believed before the database is asked again, unless this instance wrote.
const FRESH: Duration = Duration::from_secs(1);
/// How often rosters are looked for whose branch key has closed.
const SWEEP: Duration = Duration::from_secs(5);
/// How many rows are read from the database at once.
const CHUNK: usize = 500;
/// The most patients that one roster holds; a larger organization is told so.
const LARGEST: usize = 500_000;

/// The rosters of the organizations that are being looked at.
#[derive(Clone, Debug)]
pub(crate) struct Rosters {
    database: Database,
    keys: Keys,
    open: Arc<Mutex<HashMap<OrganizationId, Slot>>>,
}

/// One organization's place.
#[derive(Clone, Debug, Default)]
struct Slot(Arc<Place>);

#[derive(Debug, Default)]
struct Place {
    /// Goes up each time this instance changes demographics.
    changes: AtomicU64,
    /// Lets one task at a time renew the roster.
    held: tokio::sync::Mutex<Option<Held>>,
}

/// A roster, and what it is as of.
#[derive(Debug)]
struct Held {
    roster: Arc<Roster>,
    asked: Instant,
    changes: u64,
}

/// An organization's patients as of a moment, in the order of their names.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    entries: Vec<Arc<Entry>>,
}

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

    /// Says that this instance changed the demographics of one of the organization's patients.
    pub(crate) fn changed(&self, organization: OrganizationId) {
        self.slot(organization)
            .0
            .changes
            .fetch_add(1, Ordering::SeqCst);
    }

    /// The organization's roster as the database has it, at most a second old, and with everything in
    /// it that this instance wrote before.
    ///
    /// # Errors
    ///
    /// Keys or database are away, or a row does not open.
    pub(crate) async fn of(
        &self,
        organization: OrganizationId,
    ) -> Result<Arc<Roster>, ServiceError> {
        // Without the branch key nothing below may be used.
        self.keys.authorization(organization).await?;
        let slot = self.slot(organization);
        let mut held = slot.0.held.lock().await;
        let changes = slot.0.changes.load(Ordering::SeqCst);
        let asked = Instant::now();
        let before = match held.take() {
            Some(fresh) if fresh.changes == changes && fresh.asked + FRESH > asked => {
                let roster = fresh.roster.clone();
                *held = Some(fresh);
                return Ok(roster);
            }
            Some(stale) => stale.roster,
            None => Arc::default(),
        };
        let roster = Arc::new(self.renewed(organization, &before).await?);
        *held = Some(Held {
            roster: roster.clone(),
            asked,
            changes,
        });
        Ok(roster)
    }

    /// A roster as the database has it, made of `before` and the rows that are new since.
    async fn renewed(
        &self,
        organization: OrganizationId,
        before: &Roster,
    ) -> Result<Roster, ServiceError> {
        let current = self.database.roster_keys(organization).await?;
        if current.len() > LARGEST {
            return Err(ServiceError::internal(
                "the organization has more patients than a roster holds",
            ));
        }
        let known: HashMap<RosterKey, &Arc<Entry>> = before
            .entries
            .iter()
            .map(|entry| (entry.key, entry))
            .collect();
        let (kept, new): (Vec<_>, Vec<_>) =
            current.into_iter().partition(|key| known.contains_key(key));
        let mut entries: Vec<Arc<Entry>> = kept
            .iter()
            .filter_map(|key| known.get(key))
            .map(|entry| (*entry).clone())
            .collect();
        for chunk in new.chunks(CHUNK) {
            let patients: Vec<_> = chunk.iter().map(|key| key.patient).collect();
            for row in self.database.demographics(organization, &patients).await? {
                let row = self.keys.authorization(organization).await?.verify(row)?;
                let scope = self
                    .keys
                    .scope(organization, Owner::Patient(row.patient))
                    .await?;
                entries.push(Arc::new(Entry::open(&scope, &row)?));
            }
        }
        entries.sort_by(|a, b| a.by_name().cmp(&b.by_name()));
        Ok(Roster { entries })
    }

    fn slot(&self, organization: OrganizationId) -> Slot {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.entry(organization).or_default().clone()
    }

    /// Forgets, for as long as the process lives, every roster whose branch key has closed.
    async fn discard_closed(self) {
        let mut interval = tokio::time::interval(SWEEP);
        loop {
            interval.tick().await;
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.retain(|organization, _| self.keys.is_warm(*organization));
        }
    }
}

impl Roster {
    /// Part of all patients in an order, and how many there are in all.
    pub(crate) fn page(&self, order: Order, skip: usize, take: usize) -> (Vec<PatientId>, usize) {
        let sorted = order.sorted(&self.entries);
        let ids = sorted
            .into_iter()
            .skip(skip)
            .take(take)
            .map(|entry| entry.key.patient)
            .collect();
        (ids, self.entries.len())
    }

    /// Those who match names and birth dates, by name; only those `among` some, if given.
    pub(crate) fn matches(
        &self,
        query: &PatientQuery,
        among: Option<&[PatientId]>,
    ) -> Vec<PatientId> {
        self.entries
            .iter()
            .filter(|entry| among.is_none_or(|some| some.contains(&entry.key.patient)))
            .filter(|entry| entry.matches(query))
            .map(|entry| entry.key.patient)
            .collect()
    }
}
