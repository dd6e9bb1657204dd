//! A key store in memory, for tests.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Inserted, KeyState, KeyStore, Purpose, StoreError, WrappedKey};
use crate::ids::{KeyId, OrganizationId};
use crate::owner::Owner;

/// A [`KeyStore`] that forgets: for tests of what needs keys but no database.
#[derive(Debug, Default)]
pub struct MemoryKeys(Mutex<Vec<WrappedKey>>);

impl MemoryKeys {
    /// Lets a test alter what is stored, as somebody who can write to the database would.
    pub fn alter(&self, change: impl FnOnce(&mut Vec<WrappedKey>)) {
        change(&mut self.rows());
    }

    fn rows(&self) -> MutexGuard<'_, Vec<WrappedKey>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeyStore for MemoryKeys {
    async fn active(
        &self,
        organization: OrganizationId,
        owner: &Owner,
        purpose: Purpose,
    ) -> Result<Option<WrappedKey>, StoreError> {
        let rows = self.rows();
        let of = rows.iter().filter(|row| {
            row.organization == organization
                && row.owner == owner.id(organization)
                && row.purpose == purpose
        });
        let newest = of.max_by_key(|row| (row.state == KeyState::Active, row.version));
        Ok(newest.cloned())
    }

    async fn by_id(&self, id: KeyId) -> Result<Option<WrappedKey>, StoreError> {
        Ok(self.rows().iter().find(|row| row.id == id).cloned())
    }

    async fn insert(&self, key: &WrappedKey) -> Result<Inserted, StoreError> {
        let mut rows = self.rows();
        let same = |row: &WrappedKey| {
            (row.organization, row.owner, row.purpose, row.version)
                == (key.organization, key.owner, key.purpose, key.version)
        };
        if rows.iter().any(same) {
            return Ok(Inserted::AlreadyThere);
        }
        rows.push(key.clone());
        Ok(Inserted::Stored)
    }
}
