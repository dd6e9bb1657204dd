//! Tests of verifying rows and opening values, also against a store that returns other rows.

use phi_types::AuthenticatedRow;
use phi_types::Authority;
use phi_types::ColumnEncoder;
use phi_types::RowMac;
use phi_types::Table;
use phi_types::columns::Given;
use phi_types::tables;
use uuid::Uuid;

use super::*;

/// A row whose table has the system's authority if `SYSTEM`, and its organization's otherwise.
#[derive(Clone, Debug)]
struct Row<const SYSTEM: bool> {
    organization: OrganizationId,
    text: String,
    mac: RowMac,
}

impl<const SYSTEM: bool> Row<SYSTEM> {
    fn new(organization: OrganizationId) -> Self {
        Self {
            organization,
            text: "clinician".to_owned(),
            mac: RowMac::UNSET,
        }
    }
}

impl<const SYSTEM: bool> AuthenticatedRow for Row<SYSTEM> {
    const TABLE: Table = Table {
        authority: if SYSTEM {
            Authority::System
        } else {
            Authority::Organization
        },
        ..tables::PEOPLE
    };

    fn organization(&self) -> OrganizationId {
        self.organization
    }

    fn row_id(&self) -> Uuid {
        Uuid::nil()
    }

    fn encode(&self, columns: &mut ColumnEncoder) {
        columns.column(1, &self.text);
    }

    fn mac(&self) -> &RowMac {
        &self.mac
    }

    fn set_mac(&mut self, mac: RowMac) {
        self.mac = mac;
    }
}

fn is_tampering<T>(outcome: &Result<T, OpenError>) -> bool {
    matches!(outcome, Err(OpenError::Tampered(_)))
}

/// A store that returns one row in place of any requested key except the branch key.
struct LyingStore {
    honest: Shared,
    returned: WrappedKey,
}

impl KeyStore for LyingStore {
    async fn current(
        &self,
        organization: OrganizationId,
        owner: &Owner,
        purpose: Purpose,
    ) -> Result<Option<WrappedKey>, StoreError> {
        if purpose == Purpose::Branch {
            self.honest.current(organization, owner, purpose).await
        } else {
            Ok(Some(self.returned.clone()))
        }
    }

    async fn by_ids(&self, _: OrganizationId, _: &[KeyId]) -> Result<Vec<WrappedKey>, StoreError> {
        Ok(vec![self.returned.clone()])
    }
}

#[tokio::test]
async fn what_one_instance_seals_another_opens() {
    let world = World::new().await;
    let (owner, row) = (patient(), RowId::random());
    let value = sealed(&*world.add_scope(owner).await, row);
    let opened = world
        .keyring()
        .open(world.requested(owner, row), &value)
        .await;
    assert_eq!(opened.unwrap().expose().as_deref(), Some("Ada"));
}

#[tokio::test]
async fn a_value_that_was_not_sealed_for_its_place_is_tampering() {
    let world = World::new().await;
    let (ada, bob, row) = (patient(), patient(), RowId::random());
    let value = sealed(&*world.add_scope(ada).await, row);
    world.add_scope(bob).await;
    let elsewhere = OrganizationId::random();
    world.add_organization(elsewhere).await;
    let keyring = world.keyring();
    let of_ada = world.requested(ada, row);
    let moved = [
        world.requested(bob, row),
        world.requested(Owner::Organization, row),
        world.requested(ada, RowId::random()),
        Requested {
            organization: elsewhere,
            ..of_ada
        },
    ];
    for requested in moved {
        let opened = keyring.open(requested, &value).await;
        assert!(is_tampering(&opened), "{requested:?}");
    }
    let retyped = Sealed::<Given>::from_bytes(value.as_bytes().to_vec());
    assert!(is_tampering(&keyring.open(of_ada, &retyped).await));
    let mut renamed = value.as_bytes().to_vec();
    renamed[2..18].copy_from_slice(KeyId::random().as_bytes());
    for altered in [renamed, value.as_bytes()[..17].to_vec(), Vec::new()] {
        let altered = Sealed::<Family>::from_bytes(altered);
        assert!(is_tampering(&keyring.open(of_ada, &altered).await));
    }
    assert!(keyring.open(of_ada, &value).await.is_ok());
}

#[tokio::test]
async fn a_header_that_names_a_key_of_another_purpose_is_tampering() {
    let world = World::new().await;
    let row = RowId::random();
    let keyring = world.keyring();
    let scope = keyring.scope(world.organization, Owner::Organization).await;
    let mut value = sealed(&scope.unwrap(), row).into_bytes();
    value[2..18].copy_from_slice(world.index.as_bytes());
    let opened = world
        .keyring()
        .open(
            world.requested(Owner::Organization, row),
            &Sealed::<Family>::from_bytes(value),
        )
        .await;
    assert!(is_tampering(&opened));
}

#[tokio::test]
async fn a_value_under_a_former_key_opens_and_under_a_retired_one_is_tampering() {
    let world = World::new().await;
    let (owner, row) = (patient(), RowId::random());
    let scope = world.add_scope(owner).await;
    let value = sealed(&scope, row);
    let requested = world.requested(owner, row);
    let set = async |state| {
        let change = |row: &mut WrappedKey| row.state = state;
        world.rewrite(scope.key_id(), change).await;
    };
    set(KeyState::Former).await;
    assert!(world.keyring().open(requested, &value).await.is_ok());
    let current = world.keyring().scope(world.organization, owner).await;
    assert_eq!(current.unwrap_err(), KeyError::Missing);
    set(KeyState::Retired).await;
    assert!(is_tampering(&world.keyring().open(requested, &value).await));
}

#[tokio::test]
async fn a_row_verifies_under_a_former_key_and_not_under_a_retired_one() {
    let world = World::new().await;
    let key = world.keyring().authorization(world.organization).await;
    let key = key.unwrap();
    let row = key.authenticate(Row::<false>::new(world.organization));
    let verify = async || {
        world
            .keyring()
            .verify(world.organization, row.clone())
            .await
    };
    assert_eq!(verify().await.unwrap().text, "clinician");
    let set = async |state| {
        let change = |row: &mut WrappedKey| row.state = state;
        world.rewrite(key.key_id(), change).await;
    };
    set(KeyState::Former).await;
    assert!(verify().await.is_ok());
    let current = world.keyring().authorization(world.organization).await;
    assert_eq!(current.unwrap_err(), KeyError::Missing);
    set(KeyState::Retired).await;
    assert!(is_tampering(&verify().await));
}

#[tokio::test]
async fn an_altered_row_and_a_row_of_another_organization_are_tampering() {
    let world = World::new().await;
    let keyring = world.keyring();
    let key = keyring.authorization(world.organization).await.unwrap();
    let row = key.authenticate(Row::<false>::new(world.organization));
    let altered = Row {
        text: "privacy_officer".to_owned(),
        ..row.clone()
    };
    assert!(is_tampering(
        &keyring.verify(world.organization, altered).await
    ));
    let unset = Row::<false>::new(world.organization);
    assert!(is_tampering(
        &keyring.verify(world.organization, unset).await
    ));
    let elsewhere = OrganizationId::random();
    world.add_organization(elsewhere).await;
    assert!(is_tampering(&keyring.verify(elsewhere, row).await));
}

#[tokio::test]
async fn the_key_of_a_mac_is_looked_up_in_the_authority_of_the_table_alone() {
    let world = World::new().await;
    let elsewhere = OrganizationId::random();
    let other = world.add_organization(elsewhere).await.authorization;
    let system = world
        .add_organization(OrganizationId::SYSTEM)
        .await
        .authorization;
    let keyring = world.keyring();
    let own = keyring.authorization(world.organization).await.unwrap();
    let mine = Row::<false>::new(world.organization);
    let systems = Row::<true>::new(world.organization);
    for (key, of_organization, of_system) in [
        (&*own, true, false),
        (&other, false, false),
        (&system, false, true),
    ] {
        let row = key.authenticate(mine.clone());
        let verified = keyring.verify(world.organization, row).await;
        assert_eq!(verified.is_ok(), of_organization, "{key:?}");
        assert_ne!(is_tampering(&verified), of_organization);
        let row = key.authenticate(systems.clone());
        let verified = keyring.verify(world.organization, row).await;
        assert_eq!(verified.is_ok(), of_system, "{key:?}");
        assert_ne!(is_tampering(&verified), of_system);
    }
}

#[tokio::test]
async fn a_mac_that_names_a_key_of_another_purpose_is_tampering() {
    let world = World::new().await;
    let keyring = world.keyring();
    let scope = keyring.scope(world.organization, Owner::Organization).await;
    for key in [world.index, scope.unwrap().key_id()] {
        let row = Row::<false> {
            mac: RowMac::new(key, [7; 32]),
            ..Row::new(world.organization)
        };
        assert!(is_tampering(&keyring.verify(world.organization, row).await));
    }
}

#[tokio::test]
async fn a_key_of_one_purpose_does_not_open_as_one_of_another() {
    let world = World::new().await;
    let (keyring, organization) = (world.keyring(), world.organization);
    let scope = keyring.scope(organization, Owner::Organization).await;
    let scope = scope.unwrap().key_id();
    let authorization = keyring.authorization(organization).await.unwrap();
    for id in [world.index, scope] {
        let key = keyring.authorization_by_id(organization, id).await;
        assert_eq!(key.unwrap_err(), KeyError::Corrupt);
    }
    for id in [authorization.key_id(), scope] {
        let key = keyring.index(organization, id).await;
        assert_eq!(key.unwrap_err(), KeyError::Corrupt);
    }
}

/// The system's key verifies the rows of every organization.
#[tokio::test]
async fn a_genuine_row_of_another_organization_is_tampering_also_under_the_systems_key() {
    let world = World::new().await;
    let system = world.add_organization(OrganizationId::SYSTEM).await;
    let elsewhere = OrganizationId::random();
    let row = Row::<true>::new(elsewhere);
    let row = system.authorization.authenticate(row);
    let keyring = world.keyring();
    assert!(keyring.verify(elsewhere, row.clone()).await.is_ok());
    let verified = keyring.verify(world.organization, row).await;
    assert!(is_tampering(&verified));
}

#[tokio::test]
async fn a_row_of_a_wrapped_key_is_verified_by_its_own_key_alone() {
    let world = World::new().await;
    let row = world.row(Owner::Organization).await;
    let verified = world.keyring().verify(world.organization, row).await;
    assert!(is_tampering(&verified));
}

#[tokio::test]
async fn many_keys_are_prefetched_by_one_read() {
    let world = World::new().await;
    let mut values = Vec::new();
    for _ in 0..20 {
        let (owner, row) = (patient(), RowId::random());
        let scope = world.add_scope(owner).await;
        values.push((world.requested(owner, row), sealed(&scope, row)));
    }
    let keyring = world.keyring();
    keyring.authorization(world.organization).await.unwrap();
    let before = world.store.reads();
    let wanted = || {
        let of = |(requested, value): &(Requested, Sealed<Family>)| {
            (requested.owner, value.key_id().unwrap())
        };
        values.iter().map(of).chain([(patient(), KeyId::random())])
    };
    keyring
        .prefetch(world.organization, wanted())
        .await
        .unwrap();
    assert_eq!(world.store.reads() - before, 1);
    for (requested, value) in &values {
        assert!(keyring.open(*requested, value).await.is_ok());
    }
    keyring
        .prefetch(world.organization, wanted())
        .await
        .unwrap();
    assert_eq!(world.store.reads() - before, 1);
}

#[tokio::test]
async fn a_key_prefetched_for_another_owner_opens_nothing() {
    let world = World::new().await;
    let (ada, bob, row) = (patient(), patient(), RowId::random());
    let of_ada = world.add_scope(ada).await;
    let of_bob = world.add_scope(bob).await;
    let keyring = world.keyring();
    let swapped = [(bob, of_ada.key_id()), (ada, of_bob.key_id())];
    keyring.prefetch(world.organization, swapped).await.unwrap();
    let opened = keyring
        .open(world.requested(bob, row), &sealed(&of_ada, row))
        .await;
    assert!(is_tampering(&opened));
    let opened = keyring
        .open(world.requested(ada, row), &sealed(&of_ada, row))
        .await;
    assert!(opened.is_ok());
}

#[tokio::test]
async fn a_store_that_returns_another_key_is_refused() {
    let world = World::new().await;
    let (ada, bob, row) = (patient(), patient(), RowId::random());
    let of_ada = world.add_scope(ada).await;
    world.add_scope(bob).await;
    let value = sealed(&of_ada, row);
    let elsewhere = OrganizationId::random();
    let foreign = world.add_organization(elsewhere).await;
    let unrequested = world.row(bob).await;
    let renamed = WrappedKey {
        id: of_ada.key_id(),
        ..unrequested.clone()
    };
    let destroyed = WrappedKey {
        state: KeyState::Destroyed,
        ..unrequested.clone()
    };
    let of_another_organization = foreign.rows.into_iter().rev();
    let returned = of_another_organization.chain([unrequested, renamed, destroyed]);
    for returned in returned {
        let honest = world.store.clone();
        let keyring = world.keyring_on(LyingStore { honest, returned });
        let scope = keyring.scope(world.organization, ada).await;
        assert_eq!(scope.unwrap_err(), KeyError::Corrupt);
        let key = keyring.authorization(world.organization).await;
        assert_eq!(key.unwrap_err(), KeyError::Corrupt);
        let index = keyring.index(world.organization, world.index).await;
        assert_eq!(index.unwrap_err(), KeyError::Corrupt);
        let wanted = [(ada, of_ada.key_id()), (bob, KeyId::random())];
        keyring.prefetch(world.organization, wanted).await.unwrap();
        let opened = keyring.open(world.requested(ada, row), &value).await;
        assert!(is_tampering(&opened));
    }
}
