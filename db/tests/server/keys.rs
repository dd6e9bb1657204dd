use phi::{
    Inserted, KeyId, KeyState, KeyStore as _, OrganizationId, Owner, PatientId, Purpose,
    StoreError, WrappedKey, provider,
};

use super::rows::{bytes32, mac, noon};
use super::scratch::Scratch;

fn key(organization: OrganizationId, owner: &Owner, purpose: Purpose, version: u32) -> WrappedKey {
    WrappedKey {
        id: KeyId::random(),
        organization,
        owner: owner.id(organization),
        owner_kind: owner.kind(),
        purpose,
        version,
        root: None,
        branch: Some(KeyId::random()),
        branch_version: Some(1),
        provider: provider::BRANCH,
        wrapped: (0..72).collect(),
        commitment: bytes32(),
        state: KeyState::Active,
        created_at: noon(),
        mac: mac(),
    }
}

#[tokio::test]
async fn a_key_comes_back_as_it_was_stored_by_owner_and_by_id() {
    let store = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let patient = Owner::Patient(PatientId::random());
    let scope = key(organization, &patient, Purpose::Seal, 1);
    let branch = WrappedKey {
        root: Some("arn:aws:kms:us-east-1:000000000000:key/1".to_owned()),
        branch: None,
        branch_version: None,
        provider: provider::AWS_KMS,
        wrapped: vec![0xFF; 1024],
        ..key(organization, &Owner::Organization, Purpose::Branch, 1)
    };
    for stored in [&scope, &branch] {
        assert_eq!(store.insert(stored).await.unwrap(), Inserted::Stored);
        assert_eq!(store.by_id(stored.id).await.unwrap().as_ref(), Some(stored));
    }
    let found = store.active(organization, &patient, Purpose::Seal).await;
    assert_eq!(found.unwrap(), Some(scope));
    let found = store
        .active(organization, &Owner::Organization, Purpose::Branch)
        .await;
    assert_eq!(found.unwrap(), Some(branch));
}

#[tokio::test]
async fn keys_of_another_organization_owner_or_purpose_are_not_found() {
    let store = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let owner = Owner::AuditYear(2026);
    let stored = key(organization, &owner, Purpose::Seal, 1);
    store.insert(&stored).await.unwrap();
    let elsewhere = OrganizationId::random();
    for (organization, owner, purpose) in [
        (elsewhere, Owner::AuditYear(2026), Purpose::Seal),
        (organization, Owner::AuditYear(2027), Purpose::Seal),
        (organization, Owner::Organization, Purpose::Seal),
        (organization, Owner::AuditYear(2026), Purpose::Index),
    ] {
        let found = store.active(organization, &owner, purpose).await.unwrap();
        assert_eq!(found, None);
    }
    assert_eq!(store.by_id(KeyId::random()).await.unwrap(), None);
}

#[tokio::test]
async fn the_newest_active_version_counts_and_a_destroyed_one_only_where_there_is_no_other() {
    let store = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let owner = Owner::Organization;
    let destroyed = WrappedKey {
        state: KeyState::Destroyed,
        wrapped: Vec::new(),
        ..key(organization, &owner, Purpose::Seal, 3)
    };
    store.insert(&destroyed).await.unwrap();
    let only = store.active(organization, &owner, Purpose::Seal).await;
    assert_eq!(only.unwrap(), Some(destroyed));
    for version in [1, 2] {
        let stored = key(organization, &owner, Purpose::Seal, version);
        store.insert(&stored).await.unwrap();
        let newest = store.active(organization, &owner, Purpose::Seal).await;
        assert_eq!(newest.unwrap(), Some(stored));
    }
}

#[tokio::test]
async fn of_two_that_make_the_same_key_at_once_exactly_one_does() {
    let scratch = Scratch::migrated().await;
    let (here, there) = (scratch.app(), scratch.app());
    let organization = OrganizationId::random();
    for _ in 0..20 {
        let owner = Owner::Patient(PatientId::random());
        let mine = key(organization, &owner, Purpose::Seal, 1);
        let theirs = key(organization, &owner, Purpose::Seal, 1);
        let (one, other) = tokio::join!(here.insert(&mine), there.insert(&theirs));
        let outcomes = [one.unwrap(), other.unwrap()];
        let won = match outcomes {
            [Inserted::Stored, Inserted::AlreadyThere] => mine,
            [Inserted::AlreadyThere, Inserted::Stored] => theirs,
            _ => panic!("{outcomes:?}"),
        };
        let found = here.active(organization, &owner, Purpose::Seal).await;
        assert_eq!(found.unwrap(), Some(won));
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_told_from_a_key_that_is_not_there() {
    let scratch = Scratch::migrated().await;
    let mut settings = scratch.settings("app");
    settings.port = 1;
    settings.acquire_timeout = std::time::Duration::from_secs(1);
    let store = db::Database::new(&settings);
    let failed = store.by_id(KeyId::random()).await;
    assert!(
        matches!(failed, Err(StoreError::Unavailable(_))),
        "{failed:?}"
    );
}
