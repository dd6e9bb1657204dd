//! The scrubber: compares the stored rows with the audit log.
//!
//! A genuine older row that replaced a newer one has a MAC that verifies. The log reveals it: every
//! event lists the digests of the rows that its transaction wrote. A pass verifies the MAC of each
//! event, its list against the commitment in its entry, and that the chains of events have no gap;
//! then it compares every row of every authenticated table with the newest digest that is recorded
//! for it.
//!
//! Limits: the removal of the newest events is not found, nor is an older row that was put back
//! together with that. Hidden rows are not found here: those of resources are found when the chart
//! is read, by the set of their owner's heads.

mod events;

use std::collections::HashMap;
use std::time::Duration;

use db::AuthenticatorRow;
use db::CareTeamMemberRow;
use db::ChangeCounterRow;
use db::ChangeRow;
use db::ClientRow;
use db::CredentialRow;
use db::Database;
use db::DemographicsRow;
use db::EmergencyAccessRow;
use db::ExportRow;
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

/// Maximum rows that one statement reads.
const ROWS_PER_STATEMENT: u32 = 200;
/// Time between the end of a pass and the next one.
const PASS_INTERVAL: Duration = Duration::from_hours(1);
/// Pause after each statement of a pass in the background: at most 1,000 rows a second.
const PAUSE: Duration = Duration::from_millis(200);

/// The scrubber.
#[derive(Clone, Debug)]
pub(crate) struct Scrubber {
    database: Database,
    keys: Keys,
    clock: Clock,
}

/// The result of a pass. Each event or row that was tampered with was reported.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Findings {
    /// The number of verified events.
    pub(crate) events: u64,
    /// The number of compared rows.
    pub(crate) rows: u64,
    /// The number of events, chains and rows that are not as they were written.
    pub(crate) tampered: u64,
}

impl Scrubber {
    /// A scrubber over these services.
    pub(crate) const fn new(database: Database, keys: Keys, clock: Clock) -> Self {
        Self {
            database,
            keys,
            clock,
        }
    }

    /// Runs passes until the process ends.
    pub(crate) async fn run(self) {
        loop {
            sleep(PASS_INTERVAL).await;
            match self.pass(PAUSE).await {
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

    /// Runs one pass over the log and all tables, with a pause after each statement.
    ///
    /// # Errors
    ///
    /// The database or the keys are unavailable.
    pub(crate) async fn pass(&self, pause: Duration) -> Result<Findings, ServiceError> {
        let mut findings = Findings::default();
        self.scrub_events(pause, &mut findings).await?;
        self.scrub_table::<OrganizationRow>(pause, &mut findings)
            .await?;
        self.scrub_table::<ReleaseFloorRow>(pause, &mut findings)
            .await?;
        self.scrub_table::<WrappedKey>(pause, &mut findings).await?;
        self.scrub_table::<OwnerRow>(pause, &mut findings).await?;
        self.scrub_table::<IndexVersionRow>(pause, &mut findings)
            .await?;
        self.scrub_table::<PersonRow>(pause, &mut findings).await?;
        self.scrub_table::<CredentialRow>(pause, &mut findings)
            .await?;
        self.scrub_table::<AuthenticatorRow>(pause, &mut findings)
            .await?;
        self.scrub_table::<CareTeamMemberRow>(pause, &mut findings)
            .await?;
        self.scrub_table::<EmergencyAccessRow>(pause, &mut findings)
            .await?;
        self.scrub_table::<ClientRow>(pause, &mut findings).await?;
        self.scrub_table::<SessionRow>(pause, &mut findings).await?;
        self.scrub_table::<ExportRow>(pause, &mut findings).await?;
        self.scrub_table::<ResourceRow>(pause, &mut findings)
            .await?;
        self.scrub_table::<VersionRow>(pause, &mut findings).await?;
        self.scrub_table::<DemographicsRow>(pause, &mut findings)
            .await?;
        self.scrub_table::<ChangeRow>(pause, &mut findings).await?;
        self.scrub_table::<ChangeCounterRow>(pause, &mut findings)
            .await?;
        Ok(findings)
    }

    /// Compares every row of a table. A malformed row counts as tampered with, and ends the
    /// comparison of its table.
    async fn scrub_table<R: ScrubbedRow>(
        &self,
        pause: Duration,
        findings: &mut Findings,
    ) -> Result<(), ServiceError> {
        match self.scrub_rows::<R>(pause, findings).await {
            // Reported where the row was read.
            Err(ServiceError::Internal) => {
                findings.tampered += 1;
                Ok(())
            }
            compared => compared,
        }
    }

    async fn scrub_rows<R: ScrubbedRow>(
        &self,
        pause: Duration,
        findings: &mut Findings,
    ) -> Result<(), ServiceError> {
        let mut from = Some(Uuid::nil());
        while let Some(first) = from {
            let rows = R::page(&self.database, first, ROWS_PER_STATEMENT).await?;
            let next = rows
                .last()
                .and_then(|last| last.row_id().as_u128().checked_add(1));
            from = next.map(Uuid::from_u128);
            findings.rows += u64::try_from(rows.len()).unwrap_or_default();
            for row in self.differing(&rows).await? {
                // A write between the two statements explains a difference once, not twice.
                if self.still_differs::<R>(row).await? {
                    findings.tampered += 1;
                }
            }
            sleep(pause).await;
        }
        Ok(())
    }

    /// The ids of those rows that differ from their newest recorded digest.
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

    /// Reads a row that differed again, and reports it if it still differs. A row that is missing
    /// now was replaced or has expired.
    async fn still_differs<R: ScrubbedRow>(&self, id: Uuid) -> Result<bool, ServiceError> {
        let rows = R::page(&self.database, id, 1).await?;
        let Some(row) = rows.first().filter(|row| row.row_id() == id) else {
            return Ok(false);
        };
        if self.differing(&rows).await?.is_empty() {
            return Ok(false);
        }
        let reason = "the row is not the newest one in the audit log";
        let _reported = Tampering::report(R::TABLE.name, reason, row.organization(), Some(id));
        Ok(true)
    }
}
