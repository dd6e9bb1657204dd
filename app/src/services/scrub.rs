//! The scrubber: compares what is stored with what the audit log says was written.
//!
//! A genuine row that was put back after a newer one carries a MAC that verifies. What reveals it is the log: every
//! event lists the digests of the rows that its transaction wrote. A pass verifies each event's MAC, its list against
//! the commitment in its entry, and that the chains of events have no gap; then it compares every row of every
//! authenticated table with the newest digest on record.
//!
//! Limits: a log whose newest events were removed is not found, nor is a row that was put back together with that. Rows
//! that are hidden are not found here: hidden resources are by the counts of their owner, when a chart is read.

mod events;

use std::collections::HashMap;
use std::time::Duration;

use db::ChangeCounterRow;
use db::ChangeRow;
use db::CredentialRow;
use db::Database;
use db::DemographicsRow;
use db::IndexVersionRow;
use db::OrganizationRow;
use db::OwnerRow;
use db::PersonRow;
use db::ReleaseFloorRow;
use db::ResourceRow;
use db::ScrubbedRow;
use db::SessionRow;
use db::VersionRow;
use phi::Tampering;
use phi::WrappedKey;
use phi::row_digest;
use tokio::time::sleep;
use uuid::Uuid;

use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::keys::Keys;

/// Rows that are read at once.
const PAGE: u32 = 200;
/// The time between the end of a pass and the next one.
const PASS_INTERVAL: Duration = Duration::from_hours(1);
/// The pause after each page of a pass in the background: at most 1,000 rows a second.
const PAGE_PAUSE: Duration = Duration::from_millis(200);

/// Compares stored rows with the audit log.
#[derive(Clone, Debug)]
pub(crate) struct Scrubber {
    database: Database,
    keys: Keys,
    clock: Clock,
}

/// What a pass has compared and found. Each finding was reported as tampering.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Findings {
    /// Events whose MAC and list were verified.
    pub(crate) events: u64,
    /// Rows that were compared.
    pub(crate) rows: u64,
    /// Events and rows that are not as they were written.
    pub(crate) tampered: u64,
}

impl Scrubber {
    /// A scrubber of this database.
    pub(crate) const fn new(database: Database, keys: Keys, clock: Clock) -> Self {
        Self {
            database,
            keys,
            clock,
        }
    }

    /// Makes passes for the life of the process.
    pub(crate) async fn run(self) {
        loop {
            sleep(PASS_INTERVAL).await;
            match self.pass(PAGE_PAUSE).await {
                Ok(findings) => tracing::info!(
                    events = findings.events,
                    rows = findings.rows,
                    tampered = findings.tampered,
                    "scrubbed"
                ),
                Err(error) => tracing::warn!(%error, "a pass of the scrubber ended early"),
            }
        }
    }

    /// One pass over the log and all tables, with a wait after each page.
    ///
    /// # Errors
    ///
    /// The database or the keys are unavailable.
    pub(crate) async fn pass(&self, pause: Duration) -> Result<Findings, ServiceError> {
        let mut findings = Findings::default();
        self.events(pause, &mut findings).await?;
        self.table::<OrganizationRow>(pause, &mut findings).await?;
        self.table::<ReleaseFloorRow>(pause, &mut findings).await?;
        self.table::<WrappedKey>(pause, &mut findings).await?;
        self.table::<OwnerRow>(pause, &mut findings).await?;
        self.table::<IndexVersionRow>(pause, &mut findings).await?;
        self.table::<PersonRow>(pause, &mut findings).await?;
        self.table::<CredentialRow>(pause, &mut findings).await?;
        self.table::<SessionRow>(pause, &mut findings).await?;
        self.table::<ResourceRow>(pause, &mut findings).await?;
        self.table::<VersionRow>(pause, &mut findings).await?;
        self.table::<DemographicsRow>(pause, &mut findings).await?;
        self.table::<ChangeRow>(pause, &mut findings).await?;
        self.table::<ChangeCounterRow>(pause, &mut findings).await?;
        Ok(findings)
    }

    /// Compares every row of a table. A row that has not the form that this stack writes ends the comparison of its table
    /// and counts as tampered with; it was reported.
    async fn table<R: ScrubbedRow>(
        &self,
        pause: Duration,
        findings: &mut Findings,
    ) -> Result<(), ServiceError> {
        match self.rows::<R>(pause, findings).await {
            Err(ServiceError::Internal) => {
                findings.tampered += 1;
                Ok(())
            }
            compared => compared,
        }
    }

    async fn rows<R: ScrubbedRow>(
        &self,
        pause: Duration,
        findings: &mut Findings,
    ) -> Result<(), ServiceError> {
        let mut from = Some(Uuid::nil());
        while let Some(first) = from {
            let rows = R::page(&self.database, first, PAGE).await?;
            let next = rows
                .last()
                .and_then(|last| last.row_id().as_u128().checked_add(1));
            from = next.map(Uuid::from_u128);
            findings.rows += u64::try_from(rows.len()).unwrap_or_default();
            for row in self.differing(&rows).await? {
                // Written since it was read: it is read again, once.
                if self.still_differs::<R>(row).await? {
                    findings.tampered += 1;
                }
            }
            sleep(pause).await;
        }
        Ok(())
    }

    /// The ids of those rows whose newest digest on record is another one.
    async fn differing<R: ScrubbedRow>(&self, rows: &[R]) -> Result<Vec<Uuid>, ServiceError> {
        let ids: Vec<_> = rows
            .iter()
            .map(|row| (row.organization(), row.row_id()))
            .collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let logged = self.database.logged_rows(R::TABLE.tag, &ids).await?;
        let logged: HashMap<Uuid, [u8; 32]> =
            logged.iter().map(|row| (row.row, row.digest)).collect();
        let differs = |row: &&R| logged.get(&row.row_id()) != Some(&row_digest(*row));
        let differing = rows.iter().filter(differs);
        Ok(differing.map(R::row_id).collect())
    }

    /// Whether a row that differed still does; reports it then. A row that is gone was replaced or has expired.
    async fn still_differs<R: ScrubbedRow>(&self, id: Uuid) -> Result<bool, ServiceError> {
        let rows = R::page(&self.database, id, 1).await?;
        let Some(row) = rows.first().filter(|row| row.row_id() == id) else {
            return Ok(false);
        };
        if self.differing(&rows).await?.is_empty() {
            return Ok(false);
        }
        let reason = "the row is not the newest one that the audit log lists";
        let _reported = Tampering::report(R::TABLE.name, reason, row.organization(), Some(id));
        Ok(true)
    }
}
