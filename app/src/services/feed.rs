//! The change feed of each organization: an append-only, hash-linked list of changes, by which the
//! instances of the app invalidate what they have cached.
//!
//! A transaction that changes people, sessions or demographics appends to the feed of its
//! organization (`append`), as its last statement before its audit event. Every instance polls the
//! feeds of the organizations that it serves (`follow`), a few times a second. Cached data of an
//! organization, such as its roster or verified sessions, is valid only while polling succeeds.

mod append;
mod follow;
mod followed_feed;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use db::Database;
use phi::ChangeKind;
use phi::OrganizationId;
use phi::PatientId;
use phi::SessionId;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::services::background::spawn_forever;
use crate::services::keys::Keys;

pub(crate) use append::AppendError;
pub(crate) use append::first_counter;
pub(crate) use append::missing_counter;
pub(crate) use followed_feed::ChangeBatch;
pub(crate) use followed_feed::FollowedFeed;

/// A change, without its position in the feed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    kind: ChangeKind,
    subject: Uuid,
}

impl Change {
    /// A write of a patient's demographics.
    pub(crate) fn demographics(patient: PatientId) -> Self {
        Self {
            kind: ChangeKind::Demographics,
            subject: patient.uuid(),
        }
    }

    /// A write of a person.
    pub(crate) fn person(person: phi::PersonId) -> Self {
        Self {
            kind: ChangeKind::Person,
            subject: person.uuid(),
        }
    }

    /// A change of the charts that people reach: by a person's care teams and emergency accesses, or by the organization's policy.
    pub(crate) fn grant(subject: Uuid) -> Self {
        Self {
            kind: ChangeKind::Grant,
            subject,
        }
    }

    /// The revocation of a session.
    pub(crate) fn session(session: SessionId) -> Self {
        Self {
            kind: ChangeKind::Session,
            subject: session.uuid(),
        }
    }
}

/// The feeds of all organizations.
#[derive(Clone, Debug)]
pub(crate) struct ChangeFeed {
    database: Database,
    keys: Keys,
    followed: Arc<Mutex<HashMap<OrganizationId, Arc<FollowedFeed>>>>,
    /// Wakes the polling task before its interval has passed.
    wake: Arc<Notify>,
}

impl ChangeFeed {
    /// The feeds over these services, none of them followed yet. Must be called within a tokio
    /// runtime.
    pub(crate) fn new(database: Database, keys: Keys) -> Self {
        let feed = Self {
            database,
            keys,
            followed: Arc::default(),
            wake: Arc::default(),
        };
        let followed = feed.clone();
        spawn_forever("change feeds", move || followed.clone().poll_all());
        feed
    }

    /// Starts to poll an organization's feed, until it is idle.
    pub(crate) fn follow(&self, organization: OrganizationId) -> Arc<FollowedFeed> {
        let mut all = self.followed();
        let followed = all.entry(organization).or_insert_with(|| {
            self.wake.notify_one();
            Arc::default()
        });
        followed.last_use.touch();
        Arc::clone(followed)
    }

    /// The sequence number of an organization's newest change that concerns access, as of the last
    /// poll; none unless the feed was polled within a second.
    pub(crate) fn access_sequence(&self, organization: OrganizationId) -> Option<u64> {
        self.follow(organization).access_sequence()
    }

    /// The sequence numbers of the newest changes that concern access, read from the database now,
    /// of each of `organizations` that has a feed. Not verified here: the polling task verifies
    /// them within its interval.
    ///
    /// # Errors
    ///
    /// See [`db::Error`].
    pub(crate) async fn read_access_sequences(
        &self,
        organizations: &[OrganizationId],
    ) -> Result<HashMap<OrganizationId, u64>, db::Error> {
        let ends = self.database.change_counters(organizations).await?;
        let sequences = ends.iter().map(|end| (end.organization, end.access));
        Ok(sequences.collect())
    }

    /// Polls the feeds now, rather than after the interval.
    pub(crate) fn poll_now(&self) {
        self.wake.notify_one();
    }

    /// Notes a change that this instance has committed: its reads wait for that change.
    pub(crate) fn on_committed(&self, organization: OrganizationId, sequence: u64) {
        if let Some(followed) = self.followed().get(&organization) {
            followed.on_committed(sequence);
        }
    }

    fn followed(&self) -> MutexGuard<'_, HashMap<OrganizationId, Arc<FollowedFeed>>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
