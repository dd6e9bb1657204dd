//! Polling of the feeds, a few times a second, and verification of the changes.

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
use super::append::missing_counter;
use super::followed_feed::FollowedFeed;
use super::followed_feed::Position;

/// Interval of polls that are not requested earlier.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// Minimum time between two polls.
const MIN_POLL_INTERVAL: Duration = Duration::from_millis(5);
/// Wait before a feed that could not be read is read again.
const RETRY_DELAY: Duration = Duration::from_millis(500);
/// Maximum changes that one statement reads.
const CHANGES_PER_STATEMENT: u32 = 1_000;
/// Maximum changes that a feed reads to catch up. A feed that is further behind moves to the end and
/// discards its caches: rebuilding them is faster than reading the changes.
const MAX_CHANGES_BEHIND: u64 = 100_000;
/// Time without use after which a feed is no longer polled.
const IDLE_TIMEOUT: Duration = Duration::from_mins(10);

impl ChangeFeed {
    /// Polls all followed feeds until the process ends.
    pub(super) async fn poll_all(self) {
        let mut interval = tokio::time::interval(POLL_INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = interval.tick() => {}
                () = self.wake.notified() => {}
            }
            if let Err(error) = self.poll().await {
                tracing::warn!(%error, "the change feeds cannot be read");
            }
            tokio::time::sleep(MIN_POLL_INTERVAL).await;
        }
    }

    /// Reads the counters of all followed feeds by one statement. A feed with changes is read by a
    /// task of its own, so that one whose key opens slowly, or that has many changes, does not
    /// delay the others.
    async fn poll(&self) -> Result<(), db::Error> {
        let followed = self.retain_in_use();
        if followed.is_empty() {
            return Ok(());
        }
        let organizations: Vec<_> = followed
            .iter()
            .map(|(organization, _)| *organization)
            .collect();
        // Before the statement: a poll counts as current from its beginning.
        let polled_at = Instant::now();
        let counters = self.database.change_counters(&organizations).await?;
        let counters = counters.into_iter().map(|row| (row.organization, row));
        let mut counters: HashMap<_, _> = counters.collect();
        for (organization, feed) in followed {
            let counter = counters.remove(&organization);
            let Ok(lock) = feed.advance_lock().try_lock_owned() else {
                continue;
            };
            if let Some(end) = counter.as_ref().map(position)
                && feed.position() == Some(end)
            {
                // The same position as before was verified when it was first read.
                feed.deliver(&[], end, polled_at);
                continue;
            }
            let this = self.clone();
            tokio::spawn(async move {
                let _lock = lock;
                if let Err(error) = this.advance(organization, &feed, counter, polled_at).await {
                    if matches!(error, AppendError::Open(OpenError::Tampered(_))) {
                        feed.invalidate();
                    } else {
                        tracing::warn!(%organization, %error, "a change feed cannot be read");
                    }
                    // With the lock held, so that the polls meanwhile do not try again.
                    tokio::time::sleep(RETRY_DELAY).await;
                }
            });
        }
        Ok(())
    }

    /// Drops the idle feeds, and returns the others.
    fn retain_in_use(&self) -> Vec<(OrganizationId, Arc<FollowedFeed>)> {
        let mut all = self.followed();
        // A feed with another reference has a consumer.
        all.retain(|_, feed| feed.last_use.idle() < IDLE_TIMEOUT || Arc::strong_count(feed) > 1);
        let feeds = all.iter();
        feeds
            .map(|(organization, feed)| (*organization, Arc::clone(feed)))
            .collect()
    }

    /// Advances one feed to the position of its counter.
    async fn advance(
        &self,
        organization: OrganizationId,
        feed: &FollowedFeed,
        counter: Option<ChangeCounterRow>,
        polled_at: Instant,
    ) -> Result<(), AppendError> {
        let counter = counter.ok_or_else(|| missing_counter(organization))?;
        let end = position(&counter);
        self.keys.verify(organization, counter).await?;
        let Some(mut last) = feed.position() else {
            feed.start_at(end, polled_at);
            return Ok(());
        };
        if last.incarnation != end.incarnation {
            tracing::warn!(%organization, "the change feed was replaced: caches are built again");
            feed.start_at(end, polled_at);
            return Ok(());
        }
        let Some(behind) = end.sequence.checked_sub(last.sequence) else {
            let reason = "the change counter is before a change that was read";
            return Err(tampered(organization, reason).into());
        };
        if behind > MAX_CHANGES_BEHIND {
            feed.start_at(end, polled_at);
            return Ok(());
        }
        while last.sequence < end.sequence {
            let rows = self.changes_after(organization, &last).await?;
            let Some(newest) = rows.last() else {
                return Err(tampered(organization, "the newest changes are missing").into());
            };
            last.sequence = newest.sequence;
            last.digest = row_digest(newest);
            let access = rows.iter().rfind(|row| row.kind.concerns_access());
            last.access_sequence = access.map_or(last.access_sequence, |row| row.sequence);
            feed.deliver(&rows, last, polled_at);
        }
        // Changes may have been appended after the counter was read; then there is nothing to
        // compare.
        if last.sequence > end.sequence || last == end {
            Ok(())
        } else {
            let reason = "the changes do not lead to their counter";
            Err(tampered(organization, reason).into())
        }
    }

    /// The next changes. Each is verified, and linked to the one before.
    async fn changes_after(
        &self,
        organization: OrganizationId,
        last: &Position,
    ) -> Result<Vec<ChangeRow>, AppendError> {
        let read = self.database.changes_after(
            organization,
            last.incarnation,
            last.sequence,
            CHANGES_PER_STATEMENT,
        );
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

/// The position of a counter: the end of its feed.
fn position(counter: &ChangeCounterRow) -> Position {
    Position {
        incarnation: counter.incarnation,
        sequence: counter.sequence,
        digest: counter.digest,
        access_sequence: counter.access,
    }
}

fn tampered(organization: OrganizationId, reason: &'static str) -> OpenError {
    Tampering::report("changes", reason, organization, None).into()
}
