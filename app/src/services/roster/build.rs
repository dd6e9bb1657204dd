//! Reading roster entries, and building a roster from all of them.
//!
//! One task reads pages of entries, each with its key; threads beside the async workers open them and fill a builder
//! each. The builders are merged and sorted once.

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

/// Patients that are read from the database at once.
const PAGE: u32 = 2_000;

/// Reads the roster entries of one organization.
#[derive(Clone, Debug)]
pub(super) struct RosterReader {
    pub(super) database: Database,
    pub(super) keys: Keys,
    pub(super) organization: OrganizationId,
}

/// A patient's entry; none if it does not open, which was reported.
pub(super) struct Opened {
    pub(super) patient: PatientId,
    pub(super) entry: Option<RosterEntry>,
}

/// A builder that a thread has filled, and the patients whose entries do not open.
type Part = (RosterBuilder, Vec<PatientId>);

impl RosterReader {
    /// The entries of those of `patients` that exist.
    ///
    /// # Errors
    ///
    /// The database or the keys are unavailable.
    pub(super) async fn read(&self, patients: &[PatientId]) -> Result<Vec<Opened>, ServiceError> {
        let rows = self.database.roster_rows(self.organization, patients);
        self.open(rows.await?).await
    }

    /// Builds the roster of all patients. `limit` bounds the parts of all threads together, in bytes.
    ///
    /// # Errors
    ///
    /// The database or the keys are unavailable, or the roster is full.
    pub(super) async fn build(
        &self,
        limit: usize,
        progress: impl Fn(Progress),
    ) -> Result<(Roster, Vec<PatientId>), ServiceError> {
        let total = self.database.count_patients(self.organization).await?;
        let threads = available_parallelism().map_or(1, NonZero::get);
        let part = limit / threads;
        let mut workers: Vec<_> = (0..threads).map(|_| self.spawn_worker(part)).collect();
        let (mut read, mut after) = (0, PatientId::from_uuid(Uuid::nil()));
        let mut turn = 0;
        loop {
            let page = self.database.roster_page(self.organization, after, PAGE);
            let page = page.await?;
            let Some(last) = page.last() else { break };
            after = last.patient;
            read += u64::try_from(page.len()).unwrap_or_default();
            let (pages, _) = workers.get(turn % threads).ok_or(ServiceError::Internal)?;
            if pages.send(page).await.is_err() {
                // The worker has failed: joining says why.
                break;
            }
            turn += 1;
            progress(Progress { read, total });
        }
        let mut parts = Vec::with_capacity(threads);
        for (pages, worker) in workers.drain(..) {
            drop(pages);
            parts.push(worker.await??);
        }
        let merged = spawn_blocking(move || merged(parts)).await;
        merged?.map_err(full)
    }

    /// Starts a thread that opens pages and fills a builder.
    fn spawn_worker(
        &self,
        limit: usize,
    ) -> (
        mpsc::Sender<Vec<RosterRow>>,
        JoinHandle<Result<Part, ServiceError>>,
    ) {
        let (sender, mut pages) = mpsc::channel::<Vec<RosterRow>>(1);
        let (reader, runtime) = (self.clone(), Handle::current());
        let worker = spawn_blocking(move || {
            let (mut builder, mut damaged) = (RosterBuilder::new(limit), Vec::new());
            while let Some(page) = pages.blocking_recv() {
                for Opened { patient, entry } in runtime.block_on(reader.open(page))? {
                    let Some(entry) = entry else {
                        damaged.push(patient);
                        continue;
                    };
                    let added = entry.with_fields(|fields| builder.add(patient.uuid(), fields));
                    added.map_err(full)?;
                }
            }
            Ok((builder, damaged))
        });
        (sender, worker)
    }

    /// Opens entries. The seal of an entry binds it to its patient and row.
    async fn open(&self, rows: Vec<RosterRow>) -> Result<Vec<Opened>, ServiceError> {
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
                // No row of a destroyed patient stays behind.
                Err(OpenError::Tampered(_) | OpenError::Key(KeyError::Destroyed)) => None,
                Err(error) => return Err(error.into()),
            };
            opened.push(Opened {
                patient: row.patient,
                entry,
            });
        }
        Ok(opened)
    }
}

fn merged(parts: Vec<Part>) -> Result<(Roster, Vec<PatientId>), Full> {
    let mut parts = parts.into_iter();
    let Some((mut builder, mut damaged)) = parts.next() else {
        return Err(Full);
    };
    for (other, also) in parts {
        builder.merge(other)?;
        damaged.extend(also);
    }
    Ok((builder.build()?, damaged))
}

/// The error for a roster that does not fit into memory. It concerns this organization alone.
pub(super) fn full(_: Full) -> ServiceError {
    tracing::error!("a roster is full: the organization has more patients than MAX_ROSTER_BYTES");
    ServiceError::RosterFull
}
