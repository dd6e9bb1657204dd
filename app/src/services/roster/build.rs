//! Reads of roster entries, and construction of a roster from all of them.
//!
//! One task reads pages of entries, each with its key. Blocking threads open them, and each fills a
//! builder. The builders are merged and sorted once.

use std::num::NonZero;
use std::thread::available_parallelism;

use db::Database;
use db::RosterRow;
use phi::KeyError;
use phi::OpenError;
use phi::OrganizationId;
use phi::Owner;
use phi::PatientId;
use phi::Requested;
use roster::Full;
use roster::Roster;
use roster::RosterBuilder;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::entry::RosterEntry;
use super::slot::Progress;
use crate::services::error::ServiceError;
use crate::services::keys::Keys;

/// Maximum patients that one statement reads.
const PATIENTS_PER_STATEMENT: u32 = 2_000;

/// A reader of the roster entries of one organization.
#[derive(Clone, Debug)]
pub(super) struct RosterReader {
    pub(super) database: Database,
    pub(super) keys: Keys,
    pub(super) organization: OrganizationId,
}

/// The entry of a patient.
pub(super) struct OpenedEntry {
    pub(super) patient: PatientId,
    /// None if it cannot be opened, which was reported.
    pub(super) entry: Option<RosterEntry>,
}

/// The part of a roster that one thread has built.
struct RosterPart {
    builder: RosterBuilder,
    /// The patients whose entries cannot be opened.
    unopened: Vec<PatientId>,
}

impl RosterReader {
    /// The entries of those of `patients` that exist.
    ///
    /// # Errors
    ///
    /// The database or the keys are unavailable.
    pub(super) async fn read(
        &self,
        patients: &[PatientId],
    ) -> Result<Vec<OpenedEntry>, ServiceError> {
        let rows = self.database.roster_rows(self.organization, patients);
        self.open(rows.await?).await
    }

    /// Builds the roster of all patients. Also returns the patients whose entries cannot be opened.
    /// `max_bytes` bounds the parts of all threads together.
    ///
    /// # Errors
    ///
    /// The database or the keys are unavailable, or the roster is full.
    pub(super) async fn build(
        &self,
        max_bytes: usize,
        progress: impl Fn(Progress),
    ) -> Result<(Roster, Vec<PatientId>), ServiceError> {
        let total = self.database.count_patients(self.organization).await?;
        let threads = available_parallelism().map_or(1, NonZero::get);
        let part_bytes = max_bytes / threads;
        let workers = (0..threads).map(|_| self.spawn_worker(part_bytes));
        let mut workers: Vec<_> = workers.collect();
        let (mut read, mut after) = (0, PatientId::from_uuid(Uuid::nil()));
        let mut page_number = 0;
        loop {
            let page = self
                .database
                .roster_page(self.organization, after, PATIENTS_PER_STATEMENT);
            let page = page.await?;
            let Some(last) = page.last() else { break };
            after = last.patient;
            read += u64::try_from(page.len()).unwrap_or_default();
            let worker = workers.get(page_number % threads);
            let (pages, _) = worker.ok_or(ServiceError::Internal)?;
            if pages.send(page).await.is_err() {
                // The worker has failed. Joining it below returns its error.
                break;
            }
            page_number += 1;
            progress(Progress { read, total });
        }
        let mut parts = Vec::with_capacity(threads);
        for (pages, worker) in workers.drain(..) {
            drop(pages);
            parts.push(worker.await??);
        }
        let merged = spawn_blocking(move || merge(parts)).await;
        merged?.map_err(full_error)
    }

    /// Starts a thread that opens pages and builds a part of the roster.
    fn spawn_worker(
        &self,
        max_bytes: usize,
    ) -> (
        mpsc::Sender<Vec<RosterRow>>,
        JoinHandle<Result<RosterPart, ServiceError>>,
    ) {
        let (sender, mut pages) = mpsc::channel::<Vec<RosterRow>>(1);
        let (reader, runtime) = (self.clone(), Handle::current());
        let worker = spawn_blocking(move || {
            let mut part = RosterPart {
                builder: RosterBuilder::new(max_bytes),
                unopened: Vec::new(),
            };
            while let Some(page) = pages.blocking_recv() {
                for OpenedEntry { patient, entry } in runtime.block_on(reader.open(page))? {
                    let Some(entry) = entry else {
                        part.unopened.push(patient);
                        continue;
                    };
                    let builder = &mut part.builder;
                    let added = entry.with_fields(|fields| builder.add(patient.uuid(), fields));
                    added.map_err(full_error)?;
                }
            }
            Ok(part)
        });
        (sender, worker)
    }

    /// Opens entries. The seal of an entry binds it to its patient and row.
    async fn open(&self, rows: Vec<RosterRow>) -> Result<Vec<OpenedEntry>, ServiceError> {
        let mut opened = Vec::with_capacity(rows.len());
        for row in rows {
            let requested = Requested {
                organization: self.organization,
                owner: Owner::Patient(row.patient),
                row: row.row_id,
            };
            let bytes = self
                .keys
                .open_with_key(requested, &row.entry, row.key.as_ref());
            let entry = match bytes.await {
                Ok(bytes) => RosterEntry::from_bytes(&bytes).ok(),
                // The rows of a destroyed patient are deleted, so that this one is no genuine row
                // of the patient.
                Err(OpenError::Tampered(_) | OpenError::Key(KeyError::Destroyed)) => None,
                Err(error) => return Err(error.into()),
            };
            opened.push(OpenedEntry {
                patient: row.patient,
                entry,
            });
        }
        Ok(opened)
    }
}

/// The roster of all parts, and the patients whose entries cannot be opened.
fn merge(parts: Vec<RosterPart>) -> Result<(Roster, Vec<PatientId>), Full> {
    let mut parts = parts.into_iter();
    let Some(RosterPart {
        mut builder,
        mut unopened,
    }) = parts.next()
    else {
        return Err(Full);
    };
    for part in parts {
        builder.merge(part.builder)?;
        unopened.extend(part.unopened);
    }
    Ok((builder.build()?, unopened))
}

/// The error for a roster that does not fit into memory. It concerns one organization alone.
pub(super) fn full_error(_: Full) -> ServiceError {
    tracing::error!(
        "a roster is full: the organization has more patients than fit into MAX_ROSTER_BYTES"
    );
    ServiceError::RosterFull
}
