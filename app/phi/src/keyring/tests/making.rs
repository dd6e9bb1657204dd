//! Tests of new keys and of the rows in which they are stored.

use phi_types::IndexParameter;

use super::*;

#[tokio::test]
async fn making_keys_stores_nothing() {
    let world = World::new().await;
    let (keyring, owner) = (world.keyring(), patient());
    let stored = || {
        let mut count = 0;
        world.store.keys.alter(|rows| count = rows.len());
        count
    };
    let before = stored();
    let new = keyring.new_scope(world.organization, owner, NOW).await;
    assert_eq!(new.unwrap().row.state, KeyState::Current);
    let other = OrganizationId::random();
    let new = keyring.new_organization(other, NOW).await.unwrap();
    let purposes: Vec<_> = new.rows.iter().map(|row| row.purpose).collect();
    let expected = [
        Purpose::Branch,
        Purpose::Authorization,
        Purpose::Index,
        Purpose::Seal,
    ];
    assert_eq!(purposes, expected);
    assert_eq!(stored(), before);
    let missing = keyring.scope(world.organization, owner).await;
    assert_eq!(missing.unwrap_err(), KeyError::Missing);
    let missing = keyring.authorization(other).await;
    assert_eq!(missing.unwrap_err(), KeyError::Missing);
}

#[tokio::test]
async fn the_keys_of_a_new_organization_are_those_that_are_read_back() {
    let world = World::new().await;
    for organization in [OrganizationId::random(), OrganizationId::SYSTEM] {
        let new = world.add_organization(organization).await;
        let keyring = world.keyring();
        let owner = Owner::of_organization(organization);
        let scope = keyring.scope(organization, owner).await.unwrap();
        assert_eq!(scope.key_id(), new.scope.key_id());
        let row = RowId::random();
        assert!(scope.open(row, &sealed(&new.scope, row)).is_ok());
        let authorization = keyring.authorization(organization).await.unwrap();
        let mac = new.authorization.message_mac("a", b"x");
        assert!(authorization.verify_message("a", b"x", &mac));
        assert!(keyring.index(organization, new.index).await.is_ok());
    }
}

#[tokio::test]
async fn an_organization_without_a_branch_key_gets_no_scope() {
    let world = World::new().await;
    let new = world
        .keyring()
        .new_scope(OrganizationId::random(), patient(), NOW)
        .await;
    assert_eq!(new.unwrap_err(), KeyError::Missing);
}

#[tokio::test]
async fn a_destroyed_key_is_destroyed_and_not_missing() {
    let world = World::new().await;
    let (owner, row) = (patient(), RowId::random());
    let value = sealed(&*world.add_scope(owner).await, row);
    world.alter(Purpose::Seal, |row| {
        row.state = KeyState::Destroyed;
        row.wrapped.clear();
    });
    let keyring = world.keyring();
    let scope = keyring.scope(world.organization, owner).await;
    assert_eq!(scope.unwrap_err(), KeyError::Destroyed);
    let opened = keyring.open(world.requested(owner, row), &value).await;
    assert_eq!(opened.unwrap_err(), OpenError::Key(KeyError::Destroyed));
}

#[tokio::test]
async fn one_patients_key_row_does_not_open_for_another() {
    let world = World::new().await;
    let (ada, bob) = (patient(), patient());
    world.add_scope(ada).await;
    world.add_scope(bob).await;
    let (of_ada, of_bob) = (world.row(ada).await, world.row(bob).await);
    let keyring = world.keyring();
    let open = async |row: &WrappedKey| {
        let scope = keyring.scope_of_row(world.organization, ada, row).await;
        scope.map(drop)
    };
    assert_eq!(open(&of_bob).await, Err(KeyError::Corrupt));
    let with_the_wrap_of_bob = WrappedKey {
        wrapped: of_bob.wrapped.clone(),
        ..of_ada.clone()
    };
    assert_eq!(open(&with_the_wrap_of_bob).await, Err(KeyError::Corrupt));
    let with_the_owner_of_ada = WrappedKey {
        owner: of_ada.owner,
        ..of_bob.clone()
    };
    assert_eq!(open(&with_the_owner_of_ada).await, Err(KeyError::Corrupt));
    assert_eq!(open(&of_ada).await, Ok(()));
    // The same with a MAC that fits: the wrap alone refuses.
    world
        .rewrite(of_bob.id, |row| row.owner = of_ada.owner)
        .await;
    let rewritten = keyring.0.by_id(world.organization, of_bob.id).await;
    assert_eq!(open(&rewritten.unwrap()).await, Err(KeyError::Corrupt));
}

/// The ids are equal; the kinds are not.
#[tokio::test]
async fn a_patient_with_the_id_of_the_organization_shares_no_key_with_it() {
    let world = World::new().await;
    let same_id = Owner::Patient(PatientId::from_uuid(world.organization.uuid()));
    assert_eq!(
        same_id.id(world.organization),
        Owner::Organization.id(world.organization)
    );
    let missing = world.keyring().scope(world.organization, same_id).await;
    assert_eq!(missing.unwrap_err(), KeyError::Missing);
    let id = world.add_scope(same_id).await.key_id();
    let mut row = world.row(same_id).await;
    row.owner_kind = Owner::Organization.kind();
    let open = async |row: &WrappedKey| {
        let keyring = world.keyring();
        let owner = Owner::Organization;
        let scope = keyring.scope_of_row(world.organization, owner, row).await;
        scope.map(drop)
    };
    assert_eq!(open(&row).await, Err(KeyError::Corrupt));
    // The same with a MAC that fits: the wrap alone refuses.
    let change = |row: &mut WrappedKey| row.owner_kind = Owner::Organization.kind();
    world.rewrite(id, change).await;
    let rewritten = world.keyring().0.by_id(world.organization, id).await;
    assert_eq!(open(&rewritten.unwrap()).await, Err(KeyError::Corrupt));
}

#[tokio::test]
async fn no_column_of_a_key_row_can_be_altered() {
    let changes: [fn(&mut WrappedKey); 13] = [
        |row| row.id = KeyId::random(),
        |row| row.organization = OrganizationId::random(),
        |row| row.owner_kind = phi_types::OwnerKind::Patient,
        |row| row.owner[0] ^= 1,
        |row| row.version += 1,
        |row| row.root = Some("another".to_owned()),
        |row| row.branch = Some(KeyId::random()),
        |row| row.branch_version = Some(9),
        |row| row.provider ^= 7,
        |row| row.wrapped[30] ^= 1,
        |row| row.commitment[0] ^= 1,
        |row| row.created_at += Duration::from_secs(1),
        |row| row.mac = phi_types::RowMac::UNSET,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        for purpose in [Purpose::Branch, Purpose::Authorization] {
            let world = World::new().await;
            world.alter(purpose, change);
            let opened = world.keyring().authorization(world.organization).await;
            assert!(opened.is_err(), "change {number} of {purpose:?}");
        }
    }
}

/// A retired key may not be revived, nor a former one made current, by a writer to the database.
#[tokio::test]
async fn the_state_of_a_key_cannot_be_altered() {
    let world = World::new().await;
    world
        .rewrite(world.index, |row| row.state = KeyState::Retired)
        .await;
    let index = async || world.keyring().index(world.organization, world.index).await;
    assert_eq!(index().await.unwrap_err(), KeyError::Missing);
    for state in [KeyState::Current, KeyState::Former] {
        world.alter(Purpose::Index, |row| row.state = state);
        assert_eq!(index().await.unwrap_err(), KeyError::Corrupt);
    }
}

#[tokio::test]
async fn a_social_security_number_is_indexed_through_the_key_service() {
    let world = World::new().await;
    let token = async |text: &str| {
        let keyring = world.keyring();
        let index = keyring.index(world.organization, world.index).await;
        let value = IndexValue {
            parameter: IndexParameter::Identifier,
            system: Some("http://hl7.org/fhir/sid/us-ssn"),
            value: text,
        };
        let index = index.unwrap();
        let calls = world.service.calls();
        let token = keyring.service_token(&index, Normalizer::V1, value).await;
        assert_eq!(world.service.calls() - calls, 1);
        assert_ne!(
            token.as_ref().ok(),
            Some(&index.token(Normalizer::V1, value))
        );
        token
    };
    let a = token("999-12-3456").await.unwrap();
    assert_eq!(token("999123456").await.unwrap(), a);
    assert_ne!(token("999-12-3457").await.unwrap(), a);
    let keyring = world.keyring();
    let index = keyring
        .index(world.organization, world.index)
        .await
        .unwrap();
    world.service.fail(Some(ServiceError::Unavailable));
    let value = IndexValue {
        parameter: IndexParameter::Identifier,
        system: None,
        value: "999-12-3456",
    };
    let refused = keyring.service_token(&index, Normalizer::V1, value).await;
    assert!(matches!(refused, Err(KeyError::Unavailable { .. })));
}
