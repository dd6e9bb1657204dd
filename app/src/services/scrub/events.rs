//! The events of a pass: MACs, lists, and chains.

use std::collections::HashMap;
use std::time::Duration;

use audit::RowsCommitment;
use db::LoggedEvent;
use phi::KeyError;
use phi::OrganizationId;
use phi::Tampering;
use tokio::time::sleep;
use uuid::Uuid;

use super::Findings;
use super::PAGE;
use super::Scrubber;
use crate::services::error::ServiceError;
use crate::services::trail::is_authentic;

/// The age at which every entry of a chain before an event is committed: requests end sooner.
const SETTLED: Duration = Duration::from_mins(10);

/// A run of entries of one chain that follow each other.
struct Run {
    first: u64,
    /// The time of the first entry, in microseconds since 1970.
    first_at: i64,
    /// The hash that the first entry names.
    previous: [u8; 32],
    last: u64,
    /// The hash of the last entry.
    hash: [u8; 32],
}

impl Scrubber {
    /// Verifies every event that is stored.
    pub(super) async fn events(
        &self,
        pause: Duration,
        findings: &mut Findings,
    ) -> Result<(), ServiceError> {
        let settled = audit::micros(self.clock.now() - SETTLED);
        let mut runs: HashMap<Uuid, Vec<Run>> = HashMap::new();
        let mut after = (0, Uuid::nil(), 0);
        loop {
            let events = self.database.logged_events(after, PAGE).await?;
            let Some(last) = events.last() else { break };
            after = (last.entry.month(), last.entry.chain, last.entry.counter);
            for month in events.chunk_by(|a, b| a.entry.month() == b.entry.month()) {
                self.month(month, findings).await?;
            }
            for event in &events {
                extend(runs.entry(event.entry.chain).or_default(), event);
            }
            sleep(pause).await;
        }
        for (chain, runs) in &mut runs {
            if !is_whole(runs, settled) {
                report(
                    "a chain of events has a gap",
                    OrganizationId::SYSTEM,
                    *chain,
                );
                findings.tampered += 1;
            }
        }
        Ok(())
    }

    /// Verifies events of one month: the MAC over each entry, and the list that the entry commits to.
    async fn month(
        &self,
        events: &[LoggedEvent],
        findings: &mut Findings,
    ) -> Result<(), ServiceError> {
        let Some(first) = events.first() else {
            return Ok(());
        };
        let ids: Vec<_> = events.iter().map(|event| event.entry.event).collect();
        let month = first.entry.month();
        let mut listed = self.database.rows_of_events(month, &ids).await?;
        for event in events {
            findings.events += 1;
            let rows = listed.remove(&event.entry.event).unwrap_or_default();
            let reason = if !self.is_authentic(event).await? {
                "the event was not written by this stack"
            } else if RowsCommitment::of(&rows) != event.entry.rows {
                "the rows of an event are not those that it commits to"
            } else {
                continue;
            };
            findings.tampered += 1;
            let organization = OrganizationId::from_uuid(event.entry.organization);
            report(reason, organization, event.entry.event);
        }
        Ok(())
    }

    async fn is_authentic(&self, event: &LoggedEvent) -> Result<bool, ServiceError> {
        let system = OrganizationId::SYSTEM;
        match self.keys.authorization_by_id(system, event.mac_key).await {
            Ok(key) => Ok(is_authentic(&key, &event.entry, &event.mac)),
            Err(KeyError::Missing | KeyError::Corrupt | KeyError::Destroyed) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Adds an event to the runs of its chain. Within a month, entries come in order; over the end of a month they need
/// not, since an entry's month is its event's and its place its commit's.
fn extend(runs: &mut Vec<Run>, event: &LoggedEvent) {
    let entry = &event.entry;
    let next = runs
        .last_mut()
        .filter(|run| run.last + 1 == entry.counter && run.hash == entry.previous);
    if let Some(run) = next {
        run.last = entry.counter;
        run.hash = entry.hash();
    } else {
        runs.push(Run {
            first: entry.counter,
            first_at: entry.at_micros,
            previous: entry.previous,
            last: entry.counter,
            hash: entry.hash(),
        });
    }
}

/// Whether the runs are one chain from its beginning. What comes after a gap and is newer than `settled` does not count:
/// the pass was beyond its place when the entries before it were committed.
fn is_whole(runs: &mut [Run], settled: i64) -> bool {
    runs.sort_unstable_by_key(|run| run.first);
    let (mut next, mut hash) = (0, [0; 32]);
    for run in runs {
        if run.first != next || run.previous != hash {
            return run.first_at > settled;
        }
        (next, hash) = (run.last + 1, run.hash);
    }
    true
}

fn report(reason: &'static str, organization: OrganizationId, id: Uuid) {
    let _reported = Tampering::report("audit_events", reason, organization, Some(id));
}
