//! Resources and their versions.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use db::Database;
use db::Error;
use db::OwnedPosition;
use db::ResourceKey;
use db::ResourceRow;
use db::VersionRow;
use phi_types::OrganizationId;
use phi_types::Owner;
use phi_types::PatientId;
use phi_types::RowId;
use phi_types::Sealed;

use super::rows::assert_same;
use super::rows::id;
use super::rows::mac;
use super::rows::noon;
use super::rows::resource;
use super::rows::version_of;
use super::scratch::Scratch;

const KIND: &str = "Observation";

fn key(row: &ResourceRow) -> ResourceKey {
    ResourceKey {
        kind: KIND,
        id: row.id,
    }
}

async fn store(app: &Database, heads: &[ResourceRow]) -> Vec<VersionRow> {
    let versions: Vec<_> = heads.iter().map(version_of).collect();
    let mut transaction = app.begin().await.unwrap();
    transaction.insert_resources(heads).await.unwrap();
    transaction.insert_versions(&versions).await.unwrap();
    transaction.commit().await.unwrap();
    versions
}

fn several(organization: OrganizationId, owner: PatientId, count: usize) -> Vec<ResourceRow> {
    (0..count)
        .map(|_| resource(organization, owner, KIND))
        .collect()
}

#[tokio::test]
async fn a_resource_is_returned_with_its_head_and_only_to_its_organization() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let heads = several(organization, PatientId::random(), 3);
    let versions = store(&app, &heads).await;
    for (head, version) in heads.iter().zip(&versions) {
        assert_same(
            &app.resource(organization, &key(head))
                .await
                .unwrap()
                .unwrap(),
            head,
        );
        let found = app.current_version(organization, &key(head)).await.unwrap();
        let found = found.unwrap();
        assert_same(&found.head, head);
        assert_same(&found.version, version);
        assert_eq!(found.newest, 1);
        let elsewhere = OrganizationId::random();
        assert!(
            app.current_version(elsewhere, &key(head))
                .await
                .unwrap()
                .is_none()
        );
        assert!(app.resource(elsewhere, &key(head)).await.unwrap().is_none());
    }
    let other_kind = ResourceKey {
        kind: "Condition",
        id: heads[0].id,
    };
    assert!(
        app.current_version(organization, &other_kind)
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_chart_is_the_current_version_of_all_that_its_owner_has() {
    let app = Scratch::migrated().await.app();
    let (organization, patient) = (OrganizationId::random(), PatientId::random());
    let heads = several(organization, patient, 250);
    store(&app, &heads).await;
    store(&app, &several(organization, PatientId::random(), 5)).await;
    let (owner, start) = (Owner::Patient(patient), OwnedPosition::default());
    let lengths = app.version_lengths_of(organization, &owner, &start, 1_000);
    let lengths = lengths.await.unwrap();
    assert_eq!(lengths.len(), heads.len());
    let mut chart = Vec::new();
    let mut after = start;
    while chart.len() < heads.len() {
        let next = app.current_versions_of(organization, &owner, &after, 100);
        let next = next.await.unwrap();
        assert!(!next.is_empty() && next.len() <= 100);
        after = OwnedPosition::of(&next.last().unwrap().head);
        chart.extend(next);
    }
    assert_eq!(chart.len(), heads.len());
    let bytes = chart.iter().map(|it| it.version.body.as_bytes().len());
    assert_eq!(bytes.collect::<Vec<_>>(), lengths);
    let rest = app.current_versions_of(organization, &owner, &after, 100);
    assert!(rest.await.unwrap().is_empty());
    assert!(chart.iter().all(|it| it.head.owner == *patient.as_bytes()
        && it.version.owner == *patient.as_bytes()
        && it.version.row_id == it.head.version_row));
}

#[tokio::test]
async fn several_are_read_at_once_and_those_that_do_not_exist_are_left_out() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let heads = several(organization, PatientId::random(), 4);
    store(&app, &heads).await;
    let mut keys: Vec<_> = heads[1..].iter().map(key).collect();
    keys.push(ResourceKey {
        kind: KIND,
        id: id(),
    });
    // A resource that is requested twice is returned once.
    keys.push(key(&heads[1]));
    let found = app.current_versions(organization, &keys).await.unwrap();
    assert_eq!(found.len(), 3);
    let lengths = app.version_lengths(organization, &keys).await.unwrap();
    assert_eq!(lengths.len(), 3);
    for it in &found {
        let length = lengths.get(&(it.head.kind.clone(), it.head.id));
        assert_eq!(length, Some(&it.version.body.as_bytes().len()));
        let stored = heads.iter().find(|stored| stored.id == it.head.id).unwrap();
        assert_same(&it.head, stored);
    }
}

#[tokio::test]
async fn an_amended_resource_shows_its_new_version_and_keeps_the_old_one() {
    let scratch = Scratch::migrated().await;
    let app = scratch.app();
    let organization = OrganizationId::random();
    let heads = several(organization, PatientId::random(), 1);
    store(&app, &heads).await;
    let amended = ResourceRow {
        version: 2,
        version_row: RowId::random(),
        updated_at: noon() + time::Duration::seconds(1),
        mac: mac(),
        ..heads[0].clone()
    };
    let version = version_of(&amended);
    let mut transaction = app.begin().await.unwrap();
    let unknown = ResourceKey {
        kind: KIND,
        id: id(),
    };
    let locked = transaction
        .lock_resources(organization, &[key(&amended), unknown, key(&amended)])
        .await
        .unwrap();
    assert_eq!(locked.len(), 1);
    assert_same(&locked[0].head, &heads[0]);
    transaction
        .update_resource(&amended, heads[0].mac.as_bytes())
        .await
        .unwrap();
    transaction
        .insert_versions(std::slice::from_ref(&version))
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let current = app
        .current_version(organization, &key(&amended))
        .await
        .unwrap()
        .unwrap();
    assert_same(&current.head, &amended);
    assert_same(&current.version, &version);
    assert_eq!(current.newest, 2);
    let mut connection = scratch.connect("app").await;
    let kept: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM resource_versions")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(kept, 2);
}

#[tokio::test]
async fn a_head_moves_once_from_the_version_that_was_read() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let heads = several(organization, PatientId::random(), 1);
    store(&app, &heads).await;
    let next = || ResourceRow {
        version: 2,
        version_row: RowId::random(),
        mac: mac(),
        ..heads[0].clone()
    };
    let (moved, late) = (next(), next());
    let mut transaction = app.begin().await.unwrap();
    let before = heads[0].mac.as_bytes();
    transaction.update_resource(&moved, before).await.unwrap();
    let refused = transaction.update_resource(&late, before).await;
    assert!(matches!(refused, Err(Error::Conflict)), "{refused:?}");
    transaction.commit().await.unwrap();
    let found = app.resource(organization, &key(&moved)).await.unwrap();
    assert_same(&found.unwrap(), &moved);
}

#[tokio::test]
async fn a_head_that_was_put_back_stands_below_the_newest_version() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let heads = several(organization, PatientId::random(), 1);
    store(&app, &heads).await;
    let newer = VersionRow {
        version: 2,
        row_id: RowId::random(),
        ..version_of(&heads[0])
    };
    let mut transaction = app.begin().await.unwrap();
    transaction.insert_versions(&[newer]).await.unwrap();
    transaction.commit().await.unwrap();
    let found = app.current_version(organization, &key(&heads[0])).await;
    let found = found.unwrap().unwrap();
    assert_eq!((found.head.version, found.newest), (1, 2));
}

#[tokio::test]
async fn bodies_larger_than_one_statement_carries_are_stored_whole() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let heads = several(organization, PatientId::random(), 4);
    let versions: Vec<_> = heads
        .iter()
        .map(|head| VersionRow {
            body: Sealed::from_bytes(vec![0xE1; 3 << 20]),
            ..version_of(head)
        })
        .collect();
    let mut transaction = app.begin().await.unwrap();
    transaction.insert_resources(&heads).await.unwrap();
    transaction.insert_versions(&versions).await.unwrap();
    transaction.commit().await.unwrap();
    let found = app
        .current_version(organization, &key(&heads[3]))
        .await
        .unwrap()
        .unwrap();
    assert_same(&found.version, &versions[3]);
}

#[tokio::test]
async fn heads_are_locked_in_the_order_of_their_keys_whatever_their_number() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let mut heads = several(organization, PatientId::random(), 4);
    store(&app, &heads).await;
    let requested: Vec<_> = heads.iter().map(key).collect();
    heads.sort_by_key(|head| head.id);
    for count in 0..=heads.len() {
        let requested = &requested[..count];
        let mut transaction = app.begin().await.unwrap();
        let locked = transaction.lock_resources(organization, requested).await;
        let locked: Vec<_> = locked.unwrap().iter().map(|it| it.head.id).collect();
        let expected = heads.iter().map(|head| head.id);
        let expected = expected.filter(|id| requested.iter().any(|it| it.id == *id));
        assert_eq!(locked, expected.collect::<Vec<_>>());
        let elsewhere = OrganizationId::random();
        let nothing = transaction.lock_resources(elsewhere, requested).await;
        assert!(nothing.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_lock_makes_a_second_writer_wait_for_the_first() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let heads = several(organization, PatientId::random(), 2);
    store(&app, &heads).await;
    let mut first = app.begin().await.unwrap();
    first
        .lock_resources(organization, &[key(&heads[0])])
        .await
        .unwrap();
    // Another resource of the same chart is free meanwhile.
    let mut free = app.begin().await.unwrap();
    free.lock_resources(organization, &[key(&heads[1])])
        .await
        .unwrap();
    free.rollback().await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let second = tokio::spawn({
        let (app, done, wanted) = (app.clone(), Arc::clone(&done), key(&heads[0]));
        async move {
            let mut second = app.begin().await.unwrap();
            let rows = second
                .lock_resources(organization, &[wanted])
                .await
                .unwrap();
            assert!(done.load(Ordering::SeqCst), "the lock did not hold");
            rows[0].head.version
        }
    });
    let amended = ResourceRow {
        version: 2,
        mac: mac(),
        ..heads[0].clone()
    };
    first
        .update_resource(&amended, heads[0].mac.as_bytes())
        .await
        .unwrap();
    // The second transaction waits for the lock meanwhile.
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    done.store(true, Ordering::SeqCst);
    first.commit().await.unwrap();
    assert_eq!(second.await.unwrap(), 2);
}

#[tokio::test]
async fn a_resource_is_added_once_even_under_another_owner() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let heads = several(organization, PatientId::random(), 1);
    store(&app, &heads).await;
    let moved = ResourceRow {
        owner: *PatientId::random().as_bytes(),
        row_id: RowId::random(),
        ..heads[0].clone()
    };
    let mut transaction = app.begin().await.unwrap();
    let refused = transaction.insert_resources(&[moved]).await;
    assert!(
        matches!(refused, Err(Error::UniqueViolation("resources_id"))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn what_was_not_committed_is_not_there() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let heads = several(organization, PatientId::random(), 2);
    let mut transaction = app.begin().await.unwrap();
    transaction.insert_resources(&heads).await.unwrap();
    drop(transaction);
    assert!(
        app.resource(organization, &key(&heads[0]))
            .await
            .unwrap()
            .is_none()
    );
    let mut empty = app.begin().await.unwrap();
    empty.insert_resources(&[]).await.unwrap();
    empty.insert_versions(&[]).await.unwrap();
    empty.commit().await.unwrap();
}
