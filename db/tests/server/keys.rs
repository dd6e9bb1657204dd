//! Wrapped keys, through the trait `KeyStore`.

use db::Database;
use db::Error;
use phi_types::KeyId;
use phi_types::KeyState;
use phi_types::KeyStore as _;
use phi_types::OrganizationId;
use phi_types::Owner;
use phi_types::PatientId;
use phi_types::Purpose;
use phi_types::StoreError;
use phi_types::WrappedKey;
use phi_types::provider;
use phi_types::random_bytes;

use super::rows::mac;
use super::rows::noon;
use super::scratch::Scratch;

/// A key of an owner.
pub(super) fn key(
    organization: OrganizationId,
    owner: &Owner,
    purpose: Purpose,
    version: u32,
) -> WrappedKey {
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
        commitment: random_bytes(),
        state: KeyState::Current,
        created_at: noon(),
        mac: mac(),
    }
}

async fn add(app: &Database, rows: &[WrappedKey]) -> Result<(), Error> {
    let mut transaction = app.begin().await.unwrap();
    transaction.insert_keys(rows).await?;
    transaction.commit().await
}

#[tokio::test]
async fn a_key_is_found_by_owner_and_by_id_as_it_was_stored() {
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
    add(&store, &[scope.clone(), branch.clone()]).await.unwrap();
    for stored in [&scope, &branch] {
        let found = store.by_ids(organization, &[stored.id, stored.id]).await;
        assert_eq!(found.unwrap(), std::slice::from_ref(stored));
    }
    let both = [branch.id, KeyId::random(), scope.id];
    assert_eq!(store.by_ids(organization, &both).await.unwrap().len(), 2);
    assert!(store.by_ids(organization, &[]).await.unwrap().is_empty());
    assert!(
        store
            .by_ids(OrganizationId::random(), &both)
            .await
            .unwrap()
            .is_empty()
    );
    let found = store.current(organization, &patient, Purpose::Seal).await;
    assert_eq!(found.unwrap(), Some(scope));
    let found = store
        .current(organization, &Owner::Organization, Purpose::Branch)
        .await;
    assert_eq!(found.unwrap(), Some(branch));
}

#[tokio::test]
async fn keys_of_another_organization_owner_or_purpose_are_not_found() {
    let store = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let owner = Owner::AuditYear(2026);
    let stored = key(organization, &owner, Purpose::Seal, 1);
    add(&store, std::slice::from_ref(&stored)).await.unwrap();
    let elsewhere = OrganizationId::random();
    for (organization, owner, purpose) in [
        (elsewhere, Owner::AuditYear(2026), Purpose::Seal),
        (organization, Owner::AuditYear(2027), Purpose::Seal),
        (organization, Owner::Organization, Purpose::Seal),
        (organization, Owner::AuditYear(2026), Purpose::Index),
    ] {
        let found = store.current(organization, &owner, purpose).await.unwrap();
        assert_eq!(found, None);
    }
}

#[tokio::test]
async fn the_current_key_is_found_and_without_one_the_newest_usable_state() {
    let store = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let owner = Owner::Organization;
    // Each has precedence over those before it.
    let states = [
        (4, KeyState::Destroyed),
        (3, KeyState::Retired),
        (2, KeyState::Former),
        (1, KeyState::Current),
    ];
    for (version, state) in states {
        let stored = WrappedKey {
            state,
            wrapped: Vec::new(),
            ..key(organization, &owner, Purpose::Seal, version)
        };
        add(&store, std::slice::from_ref(&stored)).await.unwrap();
        let found = store.current(organization, &owner, Purpose::Seal).await;
        assert_eq!(found.unwrap(), Some(stored));
    }
}

#[tokio::test]
async fn of_two_that_make_the_same_key_at_once_exactly_one_does() {
    let scratch = Scratch::migrated().await;
    let (here, there) = (scratch.app(), scratch.app());
    let organization = OrganizationId::random();
    for _ in 0..20 {
        let owner = Owner::Patient(PatientId::random());
        let mine = [key(organization, &owner, Purpose::Seal, 1)];
        let theirs = [key(organization, &owner, Purpose::Seal, 1)];
        let outcomes = tokio::join!(add(&here, &mine), add(&there, &theirs));
        let [won] = match outcomes {
            (Ok(()), Err(Error::UniqueViolation("keys_owner"))) => mine,
            (Err(Error::UniqueViolation("keys_owner")), Ok(())) => theirs,
            _ => panic!("{outcomes:?}"),
        };
        let found = here.current(organization, &owner, Purpose::Seal).await;
        assert_eq!(found.unwrap(), Some(won));
    }
}

#[tokio::test]
async fn an_unreachable_server_is_not_taken_for_a_missing_key() {
    let scratch = Scratch::migrated().await;
    let mut settings = scratch.settings("app");
    settings.port = 1;
    settings.acquire_timeout = std::time::Duration::from_secs(1);
    let store = db::Database::new(&settings);
    let failed = store
        .by_ids(OrganizationId::random(), &[KeyId::random()])
        .await;
    assert!(
        matches!(failed, Err(StoreError::Unavailable(_))),
        "{failed:?}"
    );
}
