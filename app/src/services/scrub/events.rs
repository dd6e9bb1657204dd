//! Verification of the audit log: MACs, lists of written rows, and chains.

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
use super::ROWS_PER_STATEMENT;
use super::Scrubber;
use crate::services::error::ServiceError;
use crate::services::trail::is_authentic;

/// Age of an event at which all earlier entries of its chain are committed, since requests end
/// sooner. A gap before a younger event is not reported.
const SETTLED_AGE: Duration = Duration::from_mins(10);

/// Consecutive, linked entries of one chain.
struct ChainSegment {
    /// The counter of the first entry.
    first: u64,
    /// The time of the first entry, in microseconds since 1970.
    first_at: i64,
    /// The hash of the entry before the first one, as the first one contains it.
    previous: [u8; 32],
    /// The counter of the last entry.
    last: u64,
    /// The hash of the last entry.
    hash: [u8; 32],
}

impl Scrubber {
    /// Verifies every stored event.
    pub(super) async fn scrub_events(
        &self,
        pause: Duration,
        findings: &mut Findings,
    ) -> Result<(), ServiceError> {
        let settled = audit::micros(self.clock.now() - SETTLED_AGE);
        let mut chains: HashMap<Uuid, Vec<ChainSegment>> = HashMap::new();
        let mut after = (0, Uuid::nil(), 0);
        loop {
            let events = self
                .database
                .logged_events(after, ROWS_PER_STATEMENT)
                .await?;
            let Some(last) = events.last() else { break };
            after = (last.entry.month(), last.entry.chain, last.entry.counter);
            for month in events.chunk_by(|a, b| a.entry.month() == b.entry.month()) {
                self.scrub_month(month, findings).await?;
            }
            for event in &events {
                extend(chains.entry(event.entry.chain).or_default(), event);
            }
            sleep(pause).await;
        }
        for (chain, segments) in &mut chains {
            if !is_complete(segments, settled) {
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

    /// Verifies events of one month: the MAC of each entry, and the list of rows that the entry
    /// commits to.
    async fn scrub_month(
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
                "the event is not authentic"
            } else if RowsCommitment::of(&rows) != event.entry.rows {
                "the listed rows of the event are not those that it commits to"
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

/// Adds an event to the segments of its chain. Within a month, the entries of a chain are read in
/// order. Over the end of a month they may not be: an entry's month is that of its event, and its
/// counter is in the order of commits.
fn extend(segments: &mut Vec<ChainSegment>, event: &LoggedEvent) {
    let entry = &event.entry;
    let segment = segments
        .last_mut()
        .filter(|segment| segment.last + 1 == entry.counter && segment.hash == entry.previous);
    if let Some(segment) = segment {
        segment.last = entry.counter;
        segment.hash = entry.hash();
    } else {
        segments.push(ChainSegment {
            first: entry.counter,
            first_at: entry.at_micros,
            previous: entry.previous,
            last: entry.counter,
            hash: entry.hash(),
        });
    }
}

/// Whether the segments form one chain from its beginning. A gap before an entry that is newer than
/// `settled` is tolerated: the missing entries may have been committed after the pass had read
/// beyond them.
fn is_complete(segments: &mut [ChainSegment], settled: i64) -> bool {
    segments.sort_unstable_by_key(|segment| segment.first);
    let (mut next, mut hash) = (0, [0; 32]);
    for segment in segments {
        if segment.first != next || segment.previous != hash {
            return segment.first_at > settled;
        }
        (next, hash) = (segment.last + 1, segment.hash);
    }
    true
}

fn report(reason: &'static str, organization: OrganizationId, id: Uuid) {
    let _reported = Tampering::report("audit_events", reason, organization, Some(id));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The time before which all entries are committed, in microseconds.
    const SETTLED: i64 = 1_000_000;

    /// The entries `first..=last` of a chain, the first of them with an age in relation to [`SETTLED`].
    /// The hash of an entry is its counter.
    fn segment(first: u8, last: u8, first_at: i64) -> ChainSegment {
        let previous = first
            .checked_sub(1)
            .map_or([0; 32], |counter| [counter; 32]);
        ChainSegment {
            first: first.into(),
            first_at,
            previous,
            last: last.into(),
            hash: [last; 32],
        }
    }

    #[test]
    fn an_intact_chain_is_complete_in_whatever_order_it_is_read() {
        assert!(is_complete(&mut [], SETTLED));
        assert!(is_complete(&mut [segment(0, 5, 0)], SETTLED));
        let mut segments = [segment(6, 9, 3), segment(0, 2, 0), segment(3, 5, 2)];
        assert!(is_complete(&mut segments, SETTLED));
    }

    #[test]
    fn a_gap_before_a_settled_event_is_found() {
        for at in [0, SETTLED] {
            assert!(!is_complete(
                &mut [segment(0, 2, 0), segment(4, 9, at)],
                SETTLED
            ));
            // The first event of the chain is missing.
            assert!(!is_complete(&mut [segment(1, 9, at)], SETTLED));
        }
    }

    #[test]
    fn renumbering_the_events_after_a_gap_does_not_hide_it() {
        let renumbered = ChainSegment {
            first: 3,
            ..segment(4, 9, 0)
        };
        assert!(!is_complete(&mut [segment(0, 2, 0), renumbered], SETTLED));
    }

    #[test]
    fn a_gap_before_an_event_that_is_not_settled_is_tolerated() {
        let young = SETTLED + 1;
        let mut segments = [segment(0, 2, 0), segment(4, 9, young)];
        assert!(is_complete(&mut segments, SETTLED));
        assert!(is_complete(&mut [segment(1, 9, young)], SETTLED));
    }
}
