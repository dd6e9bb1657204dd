//! The change feed of each organization: an append-only, hash-linked list of changes, by which the instances of the app
//! keep what they hold in memory current.
//!
//! A transaction that changes people, sessions or demographics appends to the feed of its organization (`append`), as
//! its last statement before its audit event. Every instance polls the feeds of the organizations that it serves
//! (`follow`), a few times a second. What it keeps of an organization, such as a roster or a verified
//! session, is valid only while that succeeds.

mod append;
mod follow;
mod followed;

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
pub(crate) use append::missing;
pub(crate) use followed::Batch;
pub(crate) use followed::Followed;

/// A change, without its place in the feed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    kind: ChangeKind,
    subject: Uuid,
}

impl Change {
    /// A patient's demographics were written.
    pub(crate) fn demographics(patient: PatientId) -> Self {
        Self {
            kind: ChangeKind::Demographics,
            subject: patient.uuid(),
        }
    }

    /// A person was added or altered.
    pub(crate) fn person(person: phi::PersonId) -> Self {
        Self {
            kind: ChangeKind::Person,
            subject: person.uuid(),
        }
    }

    /// A session was revoked.
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
    followed: Arc<Mutex<HashMap<OrganizationId, Arc<Followed>>>>,
    /// Wakes the task that follows, before its interval has passed.
    wake: Arc<Notify>,
}

impl ChangeFeed {
    /// The feeds over these services, none of them followed yet. Must be called within a tokio runtime.
    pub(crate) fn new(database: Database, keys: Keys) -> Self {
        let feed = Self {
            database,
            keys,
            followed: Arc::default(),
            wake: Arc::default(),
        };
        let followed = feed.clone();
        spawn_forever("change feeds", move || followed.clone().follow_all());
        feed
    }

    /// Polls an organization's feed from now on, until nothing has used it for ten minutes.
    pub(crate) fn follow(&self, organization: OrganizationId) -> Arc<Followed> {
        let mut all = self.followed();
        let followed = all.entry(organization).or_insert_with(|| {
            self.wake.notify_one();
            Arc::default()
        });
        followed.used.touch();
        Arc::clone(followed)
    }

    /// The newest change of an organization that concerns access, as far as it is known now; nothing while the feed
    /// is not followed, or was not read within a second.
    pub(crate) fn access(&self, organization: OrganizationId) -> Option<u64> {
        self.follow(organization).access()
    }

    /// The newest change that concerns access, of each of `organizations` that has a feed, as the database has it now.
    /// Not verified: the task that follows verifies it within its interval.
    ///
    /// # Errors
    ///
    /// See [`db::Error`].
    pub(crate) async fn access_now(
        &self,
        organizations: &[OrganizationId],
    ) -> Result<HashMap<OrganizationId, u64>, db::Error> {
        let ends = self.database.change_counters(organizations).await?;
        let access = ends.iter().map(|end| (end.organization, end.access));
        Ok(access.collect())
    }

    /// Polls the feeds now, rather than when the interval has passed.
    pub(crate) fn poll_now(&self) {
        self.wake.notify_one();
    }

    /// Notes the place of a change that this instance committed: its own reads wait for that.
    pub(crate) fn committed(&self, organization: OrganizationId, sequence: u64) {
        if let Some(followed) = self.followed().get(&organization) {
            followed.committed(sequence);
        }
    }

    fn followed(&self) -> MutexGuard<'_, HashMap<OrganizationId, Arc<Followed>>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
