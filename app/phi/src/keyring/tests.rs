//! Tests of the keyring, with a key store in memory and a key service that fails on demand.

mod lifetime;
mod making;
mod reading;

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use phi_types::KeyState;
use phi_types::PatientId;
use phi_types::RowId;
use phi_types::Sealed;
use phi_types::StoreError;
use phi_types::columns::Family;

use super::*;
use crate::MemoryKeys;
use crate::key_service::ServiceError;
use crate::key_service::scripted::Scripted;
use crate::wrap;

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

/// A store that several keyrings share, as instances of the app share a database.
#[derive(Clone, Default)]
struct Shared {
    keys: Arc<MemoryKeys>,
    reads: Arc<AtomicUsize>,
}

impl Shared {
    /// The number of reads so far.
    fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    async fn count_read(&self) {
        self.reads.fetch_add(1, Ordering::SeqCst);
        // Gives concurrent callers the time to arrive during the read.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

impl KeyStore for Shared {
    async fn current(
        &self,
        organization: OrganizationId,
        owner: &Owner,
        purpose: Purpose,
    ) -> Result<Option<WrappedKey>, StoreError> {
        self.count_read().await;
        self.keys.current(organization, owner, purpose).await
    }

    async fn by_ids(
        &self,
        organization: OrganizationId,
        ids: &[KeyId],
    ) -> Result<Vec<WrappedKey>, StoreError> {
        self.count_read().await;
        self.keys.by_ids(organization, ids).await
    }
}

/// An organization with its keys, and what its keyrings share.
struct World {
    service: Scripted,
    store: Shared,
    organization: OrganizationId,
    /// The organization's index key.
    index: KeyId,
}

impl World {
    async fn new() -> Self {
        let mut world = Self {
            service: Scripted::new(),
            store: Shared::default(),
            organization: OrganizationId::random(),
            index: KeyId::random(),
        };
        world.index = world.add_organization(world.organization).await.index;
        world
    }

    /// An instance of the app, with nothing open.
    fn keyring(&self) -> Keyring<Shared> {
        self.keyring_for(KeyringSettings::MAX_CACHE)
    }

    fn keyring_for(&self, cache: Duration) -> Keyring<Shared> {
        let settings = KeyringSettings {
            cache,
            ..KeyringSettings::default()
        };
        Keyring::new(self.key_service(), self.store.clone(), settings)
    }

    /// An instance of the app whose store is `store`.
    fn keyring_on<S: KeyStore>(&self, store: S) -> Keyring<S> {
        Keyring::new(self.key_service(), store, KeyringSettings::default())
    }

    fn key_service(&self) -> KeyService {
        KeyService::Scripted(self.service.clone())
    }

    /// Makes the keys of an organization and stores them.
    async fn add_organization(&self, organization: OrganizationId) -> NewOrganization {
        let new = self.keyring().new_organization(organization, NOW).await;
        let new = new.unwrap();
        self.store.keys.insert(new.rows.clone());
        new
    }

    /// Makes the key of an owner and stores it.
    async fn add_scope(&self, owner: Owner) -> Arc<ScopeKey> {
        let keyring = self.keyring();
        let new = keyring.new_scope(self.organization, owner, NOW).await;
        let new = new.unwrap();
        self.store.keys.insert([new.row]);
        new.scope
    }

    /// The stored row of an owner's scope key.
    async fn row(&self, owner: Owner) -> WrappedKey {
        let keys = &self.store.keys;
        let row = keys.current(self.organization, &owner, Purpose::Seal).await;
        row.unwrap().unwrap()
    }

    /// Alters the stored keys of one purpose, as a writer to the database can.
    fn alter(&self, purpose: Purpose, change: impl Fn(&mut WrappedKey)) {
        self.store.keys.alter(|rows| {
            rows.iter_mut()
                .filter(|row| row.purpose == purpose)
                .for_each(change);
        });
    }

    /// Alters a stored key as the holder of the keys can: with a MAC over the altered row.
    async fn rewrite(&self, id: KeyId, change: impl FnOnce(&mut WrappedKey)) {
        let loader = self.keyring().0;
        let open = loader.organization(self.organization).await.unwrap();
        let mut row = loader.by_id(self.organization, id).await.unwrap();
        let (branch, version) = (row.branch.unwrap(), row.branch_version.unwrap());
        let context = wrap::context(&row, branch, version);
        let key = wrap::unwrap(&open.branch.key, &context, &row.wrapped).unwrap();
        change(&mut row);
        row.mac = wrap::row_mac(&key, &row);
        self.store.keys.alter(|rows| {
            let stored = rows.iter_mut().find(|stored| stored.id == id).unwrap();
            *stored = row;
        });
    }

    /// The request of a value of `owner` in `row`.
    fn requested(&self, owner: Owner, row: RowId) -> Requested {
        Requested {
            organization: self.organization,
            owner,
            row,
        }
    }
}

fn patient() -> Owner {
    Owner::Patient(PatientId::random())
}

fn sealed(scope: &ScopeKey, row: RowId) -> Sealed<Family> {
    scope.seal::<Family>(row, &Some("Ada".to_owned())).unwrap()
}

/// Waits until the condition holds, for at most 20 seconds.
async fn until(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "the condition never held");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
