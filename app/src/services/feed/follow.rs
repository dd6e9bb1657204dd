//! Following: reading the feeds a few times a second, and verifying what is read.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use db::ChangeCounterRow;
use db::ChangeRow;
use phi::OpenError;
use phi::OrganizationId;
use phi::Tampering;
use phi::row_digest;
use tokio::time::Instant;
use tokio::time::MissedTickBehavior;

use super::AppendError;
use super::ChangeFeed;
use super::append::missing;
use super::followed::Followed;
use super::followed::Position;

/// The interval of readings, while nothing hastens one.
const INTERVAL: Duration = Duration::from_millis(250);
/// The shortest time between two readings.
const SHORTEST: Duration = Duration::from_millis(5);
/// The wait after a feed that could not be read.
const RETRY: Duration = Duration::from_millis(500);
/// Changes that are read at once.
const PAGE: u32 = 1_000;
/// A feed that is further behind than this is begun again: the tables are read sooner than the changes.
const LONGEST_GAP: u64 = 100_000;
/// A feed that nothing has asked for in this time is no longer followed.
const IDLE: Duration = Duration::from_mins(10);

impl ChangeFeed {
    /// Follows all feeds, for the life of the process.
    pub(super) async fn follow_all(self) {
        let mut interval = tokio::time::interval(INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = interval.tick() => {}
                () = self.wake.notified() => {}
            }
            if let Err(error) = self.read().await {
                tracing::warn!(%error, "the change feeds cannot be read");
            }
            tokio::time::sleep(SHORTEST).await;
        }
    }

    /// Reads the ends of all followed feeds. A feed that has moved is read on by a task of its own: one whose key is slow
    /// to open, or that has much to read, keeps no other waiting.
    async fn read(&self) -> Result<(), db::Error> {
        let followed = self.in_use();
        if followed.is_empty() {
            return Ok(());
        }
        let organizations: Vec<_> = followed
            .iter()
            .map(|(organization, _)| *organization)
            .collect();
        let at = Instant::now();
        let ends = self.database.change_counters(&organizations).await?;
        let ends = ends.into_iter().map(|end| (end.organization, end));
        let mut ends: HashMap<_, _> = ends.collect();
        for (organization, feed) in followed {
            let end = ends.remove(&organization);
            let Ok(turn) = feed.advancing().try_lock_owned() else {
                continue;
            };
            if let Some(end) = end.as_ref().map(position)
                && feed.position() == Some(end)
            {
                // Nothing moved: verified when it was first read.
                feed.deliver(&[], end, at);
                continue;
            }
            let this = self.clone();
            tokio::spawn(async move {
                let _turn = turn;
                if let Err(error) = this.advance(organization, &feed, end, at).await {
                    if matches!(error, AppendError::Open(OpenError::Tampered(_))) {
                        feed.lose();
                    } else {
                        tracing::warn!(%organization, %error, "a change feed cannot be read");
                    }
                    // The turn is kept meanwhile.
                    tokio::time::sleep(RETRY).await;
                }
            });
        }
        Ok(())
    }

    /// The feeds that are in use; the others are dropped.
    fn in_use(&self) -> Vec<(OrganizationId, Arc<Followed>)> {
        let mut all = self.followed();
        all.retain(|_, feed| feed.used.idle() < IDLE || Arc::strong_count(feed) > 1);
        let feeds = all.iter();
        feeds
            .map(|(organization, feed)| (*organization, Arc::clone(feed)))
            .collect()
    }

    /// Brings one feed to its end.
    async fn advance(
        &self,
        organization: OrganizationId,
        feed: &Followed,
        end: Option<ChangeCounterRow>,
        at: Instant,
    ) -> Result<(), AppendError> {
        let end = end.ok_or_else(|| missing(organization))?;
        let end_position = position(&end);
        self.keys.verify(organization, end).await?;
        let Some(mut last) = feed.position() else {
            feed.begin(end_position, at);
            return Ok(());
        };
        if last.incarnation != end_position.incarnation {
            tracing::warn!(%organization, "the change feed was replaced: what was kept is read again");
            feed.begin(end_position, at);
            return Ok(());
        }
        let Some(behind) = end_position.sequence.checked_sub(last.sequence) else {
            return Err(tampered(
                organization,
                "the change feed ends before what was read of it",
            )
            .into());
        };
        if behind > LONGEST_GAP {
            feed.begin(end_position, at);
            return Ok(());
        }
        while last.sequence < end_position.sequence {
            let rows = self.changes_after(organization, &last).await?;
            let Some(newest) = rows.last() else {
                return Err(tampered(organization, "the change feed has a gap at its end").into());
            };
            last.sequence = newest.sequence;
            last.digest = row_digest(newest);
            let access = rows.iter().rfind(|row| row.kind.concerns_access());
            last.access = access.map_or(last.access, |row| row.sequence);
            feed.deliver(&rows, last, at);
        }
        // Read after the end was: it may have moved on since, but only forward.
        let is_end = last.sequence > end_position.sequence || last == end_position;
        if is_end {
            Ok(())
        } else {
            Err(tampered(organization, "the change feed does not lead to its end").into())
        }
    }

    /// The next changes, each verified and following the one before.
    async fn changes_after(
        &self,
        organization: OrganizationId,
        last: &Position,
    ) -> Result<Vec<ChangeRow>, AppendError> {
        let read = self
            .database
            .changes_after(organization, last.incarnation, last.sequence, PAGE);
        let (mut sequence, mut digest) = (last.sequence, last.digest);
        let mut rows = Vec::new();
        for row in read.await? {
            let row = self.keys.verify(organization, row).await?.into_inner();
            if row.sequence != sequence + 1 || row.previous != digest {
                return Err(tampered(organization, "the change feed has a gap").into());
            }
            (sequence, digest) = (row.sequence, row_digest(&row));
            rows.push(row);
        }
        Ok(rows)
    }
}

fn position(end: &ChangeCounterRow) -> Position {
    Position {
        incarnation: end.incarnation,
        sequence: end.sequence,
        digest: end.digest,
        access: end.access,
    }
}

fn tampered(organization: OrganizationId, reason: &'static str) -> OpenError {
    Tampering::report("changes", reason, organization, None).into()
}
