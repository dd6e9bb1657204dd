use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::columns::{DEMOGRAPHICS_FAMILY, PEOPLE_EMAIL};
use crate::key_service::ServiceError;
use crate::key_service::scripted::Scripted;
use phi_types::{Inserted, KeyState, MemoryKeys, StoreError};
use phi_types::{PatientId, RowId};

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

/// A store that several keyrings share, as instances of the app share a database.
#[derive(Clone, Default)]
struct Shared {
    keys: Arc<MemoryKeys>,
    reads: Arc<AtomicUsize>,
}

impl KeyStore for Shared {
    async fn active(
        &self,
        organization: OrganizationId,
        owner: &Owner,
        purpose: Purpose,
    ) -> Result<Option<WrappedKey>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        // Lets others come while this is under way.
        tokio::time::sleep(Duration::from_millis(5)).await;
        self.keys.active(organization, owner, purpose).await
    }

    async fn by_id(&self, id: KeyId) -> Result<Option<WrappedKey>, StoreError> {
        self.keys.by_id(id).await
    }

    async fn insert(&self, key: &WrappedKey) -> Result<Inserted, StoreError> {
        self.keys.insert(key).await
    }
}

struct World {
    service: Scripted,
    store: Shared,
    organization: OrganizationId,
}

impl World {
    /// An organization that has its keys.
    async fn new() -> Self {
        let organization = OrganizationId::random();
        let world = Self {
            service: Scripted::new(),
            store: Shared::default(),
            organization,
        };
        world
            .keyring()
            .ensure_organization(organization, NOW)
            .await
            .unwrap();
        world
    }

    /// An instance of the app, with nothing open.
    fn keyring(&self) -> Keyring<Shared> {
        self.keyring_for(KeyringSettings::LONGEST)
    }

    fn keyring_for(&self, cache: Duration) -> Keyring<Shared> {
        let settings = KeyringSettings {
            cache,
            ..KeyringSettings::default()
        };
        Keyring::new(
            KeyService::Scripted(self.service.clone()),
            self.store.clone(),
            settings,
        )
    }

    /// Alters the stored key of one purpose.
    fn alter(&self, purpose: Purpose, change: impl Fn(&mut WrappedKey)) {
        self.store.keys.alter(|rows| {
            rows.iter_mut()
                .filter(|row| row.purpose == purpose)
                .for_each(change);
        });
    }
}

async fn until(what: impl Fn() -> bool) {
    let patience = Instant::now() + Duration::from_secs(20);
    while !what() {
        assert!(Instant::now() < patience, "it never came about");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn patient() -> Owner {
    Owner::Patient(PatientId::random())
}

#[tokio::test]
async fn what_one_instance_seals_another_opens() {
    let world = World::new().await;
    let (owner, row) = (patient(), RowId::random());
    let sealing = world
        .keyring()
        .ensure_scope(world.organization, owner, NOW)
        .await
        .unwrap();
    let sealed = sealing
        .seal(&DEMOGRAPHICS_FAMILY, row, &Some("Ada".to_owned()))
        .unwrap();
    let opening = world
        .keyring()
        .scope(world.organization, owner)
        .await
        .unwrap();
    let opened = opening.open(&DEMOGRAPHICS_FAMILY, row, &sealed).unwrap();
    assert_eq!(opened.expose().as_deref(), Some("Ada"));
    let by_key = world
        .keyring()
        .scope_by_key(world.organization, owner, opening.key_id())
        .await;
    assert!(
        by_key
            .unwrap()
            .open(&DEMOGRAPHICS_FAMILY, row, &sealed)
            .is_ok()
    );
}

#[tokio::test]
async fn one_call_of_the_key_service_opens_all_patients_of_an_organization() {
    let world = World::new().await;
    let owners: Vec<_> = std::iter::repeat_with(patient).take(20).collect();
    let maker = world.keyring();
    for owner in &owners {
        maker
            .ensure_scope(world.organization, *owner, NOW)
            .await
            .unwrap();
    }
    let (keyring, before) = (world.keyring(), world.service.calls());
    for owner in &owners {
        keyring.scope(world.organization, *owner).await.unwrap();
    }
    assert_eq!(world.service.calls() - before, 1);
}

#[tokio::test]
async fn many_callers_at_once_are_one_call() {
    let world = World::new().await;
    let owner = patient();
    world
        .keyring()
        .ensure_scope(world.organization, owner, NOW)
        .await
        .unwrap();
    let (keyring, calls) = (world.keyring(), world.service.calls());
    let reads = world.store.reads.load(Ordering::SeqCst);
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (keyring, organization) = (keyring.clone(), world.organization);
        callers.spawn(async move { keyring.scope(organization, owner).await.map(drop) });
    }
    assert!(callers.join_all().await.iter().all(Result::is_ok));
    assert_eq!(world.service.calls() - calls, 1);
    assert_eq!(world.store.reads.load(Ordering::SeqCst) - reads, 2);
}

#[tokio::test]
async fn an_outage_is_one_call_too_and_ends_with_the_outage() {
    let world = World::new().await;
    let (keyring, calls) = (world.keyring(), world.service.calls());
    world.service.fail(Some(ServiceError::Unavailable));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (keyring, organization) = (keyring.clone(), world.organization);
        callers.spawn(async move { keyring.index(organization).await.map(drop) });
    }
    let retry_after = KeyringSettings::default().retry_after;
    for answer in callers.join_all().await {
        assert_eq!(answer, Err(KeyError::Unavailable { retry_after }));
    }
    assert_eq!(world.service.calls() - calls, 1);
    world.service.fail(None);
    assert!(keyring.index(world.organization).await.is_ok());
}

#[tokio::test]
async fn warm_keys_serve_while_the_key_service_is_away_and_no_longer_than_their_deadline() {
    let world = World::new().await;
    let (warm, cold) = (patient(), patient());
    let keyring = world.keyring_for(Duration::from_secs(2));
    keyring
        .ensure_scope(world.organization, warm, NOW)
        .await
        .unwrap();
    keyring
        .ensure_scope(world.organization, cold, NOW)
        .await
        .unwrap();
    let deadline = keyring.branch_deadline(world.organization).unwrap();
    world.service.fail(Some(ServiceError::Unavailable));
    let served = keyring.scope(world.organization, warm).await;
    assert!(served.is_ok() || Instant::now() >= deadline);
    until(|| !keyring.is_warm(world.organization)).await;
    assert!(Instant::now() >= deadline);
    let refused = keyring.scope(world.organization, warm).await;
    assert!(matches!(refused, Err(KeyError::Unavailable { .. })));
    world.service.fail(None);
    assert!(keyring.scope(world.organization, warm).await.is_ok());
}

#[tokio::test]
async fn a_branch_key_in_use_is_opened_anew_before_it_closes() {
    let world = World::new().await;
    let keyring = world.keyring_for(Duration::from_secs(5));
    keyring.index(world.organization).await.unwrap();
    let first = keyring.branch_deadline(world.organization).unwrap();
    until(|| {
        keyring
            .branch_deadline(world.organization)
            .is_none_or(|next| next > first)
    })
    .await;
    assert!(keyring.is_warm(world.organization));
}

#[tokio::test]
async fn a_branch_key_that_nobody_uses_is_let_go() {
    let world = World::new().await;
    let keyring = world.keyring_for(Duration::from_millis(200));
    keyring.index(world.organization).await.unwrap();
    // Refreshed once for the use above; then nobody comes.
    until(|| !keyring.is_warm(world.organization)).await;
    let calls = world.service.calls();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(world.service.calls(), calls);
    assert!(keyring.0.organizations.peek(&world.organization).is_none());
}

#[tokio::test]
async fn a_refusal_at_refresh_closes_what_was_open() {
    let world = World::new().await;
    let keyring = world.keyring_for(Duration::from_secs(5));
    keyring.index(world.organization).await.unwrap();
    let deadline = keyring.branch_deadline(world.organization).unwrap();
    world.service.fail(Some(ServiceError::Denied));
    until(|| keyring.0.organizations.peek(&world.organization).is_none()).await;
    assert!(Instant::now() < deadline);
    assert_eq!(
        keyring.index(world.organization).await.unwrap_err(),
        KeyError::Denied
    );
}

#[tokio::test]
async fn what_was_closed_is_not_brought_back_by_its_refresh() {
    let world = World::new().await;
    let keyring = world.keyring_for(Duration::from_millis(500));
    keyring.index(world.organization).await.unwrap();
    keyring.close(world.organization);
    assert!(!keyring.is_warm(world.organization));
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(!keyring.is_warm(world.organization));
}

#[tokio::test]
async fn nothing_opens_longer_than_five_minutes_whatever_is_set() {
    let world = World::new().await;
    let keyring = world.keyring_for(Duration::from_hours(24));
    keyring.index(world.organization).await.unwrap();
    let deadline = keyring.branch_deadline(world.organization).unwrap();
    assert!(deadline <= Instant::now() + Duration::from_mins(5));
}

#[tokio::test]
async fn an_organization_made_by_two_instances_at_once_has_one_set_of_keys() {
    let organization = OrganizationId::random();
    let world = World {
        service: Scripted::new(),
        store: Shared::default(),
        organization,
    };
    let (a, b) = (world.keyring(), world.keyring());
    let (x, y) = tokio::join!(
        a.ensure_organization(organization, NOW),
        b.ensure_organization(organization, NOW)
    );
    assert_eq!((x, y), (Ok(()), Ok(())));
    let index = |index: Arc<IndexKey>| index.exact(&PEOPLE_EMAIL, "ada@example.org");
    let (x, y) = (
        a.index(organization).await.unwrap(),
        b.index(organization).await.unwrap(),
    );
    assert_eq!(index(x), index(y));
    world.store.keys.alter(|rows| assert_eq!(rows.len(), 4));
}

#[tokio::test]
async fn what_has_no_key_is_missing_and_what_was_destroyed_is_not_made_anew() {
    let world = World::new().await;
    let (keyring, owner) = (world.keyring(), patient());
    let missing = keyring.scope(world.organization, owner).await;
    assert_eq!(missing.unwrap_err(), KeyError::Missing);
    let nowhere = keyring
        .ensure_scope(OrganizationId::random(), owner, NOW)
        .await;
    assert_eq!(nowhere.unwrap_err(), KeyError::Missing);
    keyring
        .ensure_scope(world.organization, owner, NOW)
        .await
        .unwrap();
    world.alter(Purpose::Seal, |row| {
        row.state = KeyState::Destroyed;
        row.wrapped.clear();
    });
    let destroyed = world
        .keyring()
        .ensure_scope(world.organization, owner, NOW)
        .await;
    assert_eq!(destroyed.unwrap_err(), KeyError::Destroyed);
}

#[tokio::test]
async fn one_patients_key_row_does_not_open_for_another() {
    let world = World::new().await;
    let (ada, bob) = (patient(), patient());
    let keyring = world.keyring();
    for owner in [ada, bob] {
        keyring
            .ensure_scope(world.organization, owner, NOW)
            .await
            .unwrap();
    }
    let row = async |owner: Owner| {
        let found = world
            .store
            .keys
            .active(world.organization, &owner, Purpose::Seal)
            .await;
        found.unwrap().unwrap()
    };
    let (of_ada, of_bob) = (row(ada).await, row(bob).await);
    let swapped = keyring
        .scope_of_row(world.organization, ada, of_bob.clone())
        .await;
    assert_eq!(swapped.unwrap_err(), KeyError::Corrupt);
    let dressed = WrappedKey {
        wrapped: of_bob.wrapped.clone(),
        ..of_ada.clone()
    };
    let dressed = keyring.scope_of_row(world.organization, ada, dressed).await;
    assert_eq!(dressed.unwrap_err(), KeyError::Corrupt);
    let theirs = keyring
        .scope_by_key(world.organization, ada, of_bob.id)
        .await;
    assert_eq!(theirs.unwrap_err(), KeyError::Missing);
    assert!(
        keyring
            .scope_of_row(world.organization, ada, of_ada)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn no_column_of_a_key_row_can_be_altered() {
    let changes: [fn(&mut WrappedKey); 8] = [
        |row| row.id = KeyId::random(),
        |row| row.version += 1,
        |row| row.branch_version = Some(9),
        |row| row.provider ^= 7,
        |row| row.wrapped[30] ^= 1,
        |row| row.commitment[0] ^= 1,
        |row| row.created_at += Duration::from_secs(1),
        |row| row.mac = crate::RowMac::UNSET,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        for purpose in [Purpose::Branch, Purpose::Index] {
            let world = World::new().await;
            world.alter(purpose, change);
            let opened = world.keyring().index(world.organization).await;
            assert!(opened.is_err(), "change {number} of {purpose:?}");
        }
    }
}

#[tokio::test]
async fn a_social_security_number_is_indexed_through_the_key_service() {
    let world = World::new().await;
    let (keyring, organization) = (world.keyring(), world.organization);
    let a = keyring
        .ssn_index(organization, "999-12-3456")
        .await
        .unwrap();
    let b = world
        .keyring()
        .ssn_index(organization, "999123456")
        .await
        .unwrap();
    assert_eq!(a, b);
    assert_ne!(
        a,
        keyring
            .ssn_index(organization, "999-12-3457")
            .await
            .unwrap()
    );
    world.service.fail(Some(ServiceError::Unavailable));
    assert!(
        keyring
            .ssn_index(organization, "999-12-3456")
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_shelf_holds_no_more_than_it_may_and_keeps_what_is_used() {
    let shelf = Shelf::<usize, usize>::new(80);
    for key in 0..1_000 {
        shelf.load(0, async || Ok(0)).await.unwrap();
        shelf.load(key, async || Ok(key)).await.unwrap();
        assert_eq!(shelf.peek(&0), Some(0));
    }
    let held = (0..1_000).filter(|key| shelf.peek(key).is_some()).count();
    assert!((60..=80).contains(&held), "{held}");
}

/// Every handler's future holds one of these.
#[tokio::test]
async fn asking_for_a_key_takes_little_of_the_stack() {
    let world = World::new().await;
    let keyring = world.keyring();
    let sizes = [
        size_of_val(&keyring.scope(world.organization, Owner::Organization)),
        size_of_val(&keyring.ensure_organization(world.organization, NOW)),
        size_of_val(&keyring.ssn_index(world.organization, "")),
    ];
    assert!(sizes.iter().all(|size| *size < 8 << 10), "{sizes:?}");
}
