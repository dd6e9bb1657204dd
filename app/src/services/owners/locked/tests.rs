//! Tests of hashing the heads of an owner under another key of it.

use phi::DevelopmentKeyring;
use phi::KeyService;
use phi::Keyring;
use phi::KeyringSettings;
use phi::MemoryKeys;
use phi::NewOrganization;
use phi::NewScope;
use phi::PatientId;
use phi::random_bytes;
use time::OffsetDateTime;

use super::*;
use crate::services::owners::owner_row;

fn stored(number: u128) -> StoredHead {
    StoredHead {
        kind: "Observation".to_owned(),
        id: Uuid::from_u128(number),
        version: 1,
        version_digest: random_bytes(),
    }
}

/// The first keys of an organization, and two scope keys of one of its patients.
async fn keys() -> (NewOrganization, [NewScope; 2], Owner) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("roots.json");
    DevelopmentKeyring::create(&path).unwrap();
    let keyring = |store| {
        let service = KeyService::Development(DevelopmentKeyring::load(&path).unwrap());
        Keyring::new(service, store, KeyringSettings::default())
    };
    let (organization, now) = (OrganizationId::random(), OffsetDateTime::UNIX_EPOCH);
    let maker = keyring(MemoryKeys::default());
    let made = maker.new_organization(organization, now).await.unwrap();
    let store = MemoryKeys::default();
    store.insert(made.rows.clone());
    let keyring = keyring(store);
    let owner = Owner::Patient(PatientId::random());
    let former = keyring.new_scope(organization, owner, now).await.unwrap();
    let current = keyring.new_scope(organization, owner, now).await.unwrap();
    (made, [former, current], owner)
}

/// A locked owner whose row still names the former key.
fn locked_under(
    former: &NewScope,
    authorization: &AuthorizationKey,
    heads: &[StoredHead],
    owner: Owner,
) -> LockedOwner {
    let key = Arc::clone(&former.scope);
    let set = head_set(&key, heads.iter().map(head_of));
    let row = owner_row(authorization, &key, &set, None).unwrap();
    LockedOwner {
        organization: key.organization(),
        owner,
        open: OpenOwner {
            row,
            heads: set,
            key,
        },
    }
}

#[tokio::test]
async fn a_former_key_neither_seals_nor_hashes_anything_new() {
    let (organization, [former, current], owner) = keys().await;
    let authorization = &organization.authorization;
    let heads = [stored(1), stored(2)];
    let added = stored(3);
    let mut locked = locked_under(&former, authorization, &heads, owner);
    locked.rekey(Arc::clone(&current.scope), &heads).unwrap();
    locked.add(head_of(&added));
    let row = locked.reseal(authorization).unwrap();
    assert_eq!(row.heads.key_id(), Some(current.scope.key_id()));
    let all = heads.iter().chain([&added]).map(head_of);
    assert_eq!(locked.open.heads, head_set(&current.scope, all));
}

#[tokio::test]
async fn heads_that_are_not_those_of_the_set_are_not_hashed_under_another_key() {
    let (organization, [former, current], owner) = keys().await;
    let authorization = &organization.authorization;
    let heads = [stored(1), stored(2)];
    let mut locked = locked_under(&former, authorization, &heads, owner);
    let older = [heads[0].clone(), stored(2)];
    for wrong in [&heads[..1], &older[..]] {
        let moved = locked.rekey(Arc::clone(&current.scope), wrong);
        assert_eq!(moved.unwrap_err().table, "resources");
        assert_eq!(locked.open.key.key_id(), former.scope.key_id());
    }
}
