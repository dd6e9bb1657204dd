//! The key store of tests.

use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use phi_types::KeyId;
use phi_types::KeyState;
use phi_types::KeyStore;
use phi_types::OrganizationId;
use phi_types::Owner;
use phi_types::Purpose;
use phi_types::StoreError;
use phi_types::WrappedKey;

/// A [`KeyStore`] in memory, for tests that need keys but no database.
#[derive(Debug, Default)]
pub struct MemoryKeys(Mutex<Vec<WrappedKey>>);

impl MemoryKeys {
    /// Alters the stored rows, as a writer to the database could.
    pub fn alter(&self, change: impl FnOnce(&mut Vec<WrappedKey>)) {
        change(&mut self.rows());
    }

    /// Stores keys.
    pub fn insert(&self, keys: impl IntoIterator<Item = WrappedKey>) {
        self.rows().extend(keys);
    }

    fn rows(&self) -> MutexGuard<'_, Vec<WrappedKey>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeyStore for MemoryKeys {
    async fn current(
        &self,
        organization: OrganizationId,
        owner: &Owner,
        purpose: Purpose,
    ) -> Result<Option<WrappedKey>, StoreError> {
        let rows = self.rows();
        let of = rows.iter().filter(|row| {
            row.organization == organization
                && row.owner_kind == owner.kind()
                && row.owner == owner.id(organization)
                && row.purpose == purpose
        });
        let newest = of.max_by_key(|row| (row.state == KeyState::Current, row.version));
        Ok(newest.cloned())
    }

    async fn by_ids(
        &self,
        organization: OrganizationId,
        ids: &[KeyId],
    ) -> Result<Vec<WrappedKey>, StoreError> {
        let rows = self.rows();
        let wanted = |row: &&WrappedKey| row.organization == organization && ids.contains(&row.id);
        Ok(rows.iter().filter(wanted).cloned().collect())
    }
}
