use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use db::{Database, Error, ResourceKey, ResourceRow, VersionRow};
use phi::{OrganizationId, RowId, Sealed};
use uuid::Uuid;

use super::rows::{assert_same, id, mac, noon, resource, version_of};
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

fn several(organization: OrganizationId, owner: Uuid, count: usize) -> Vec<ResourceRow> {
    (0..count)
        .map(|_| resource(organization, owner, KIND))
        .collect()
}

#[tokio::test]
async fn a_resource_comes_back_with_its_head_and_only_to_its_organization() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let heads = several(organization, id(), 3);
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
        let (found_head, found_version) = found.unwrap();
        assert_same(&found_head, head);
        assert_same(&found_version, version);
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
    let (organization, patient) = (OrganizationId::random(), id());
    let heads = several(organization, patient, 250);
    store(&app, &heads).await;
    store(&app, &several(organization, id(), 5)).await;
    let chart = app
        .current_versions_of(organization, patient)
        .await
        .unwrap();
    assert_eq!(chart.len(), heads.len());
    assert!(chart.iter().all(|(head, version)| head.owner == patient
        && version.owner == patient
        && version.version == head.version));
}

#[tokio::test]
async fn several_are_read_at_once_and_those_that_do_not_exist_are_left_out() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let heads = several(organization, id(), 4);
    store(&app, &heads).await;
    let mut keys: Vec<_> = heads[1..].iter().map(key).collect();
    keys.push(ResourceKey {
        kind: KIND,
        id: id(),
    });
    let found = app.current_versions(organization, &keys).await.unwrap();
    assert_eq!(found.len(), 3);
    for (head, _) in &found {
        let stored = heads.iter().find(|stored| stored.id == head.id).unwrap();
        assert_same(head, stored);
    }
}

#[tokio::test]
async fn an_amended_resource_shows_its_new_version_and_keeps_the_old_one() {
    let scratch = Scratch::migrated().await;
    let app = scratch.app();
    let organization = OrganizationId::random();
    let heads = several(organization, id(), 1);
    store(&app, &heads).await;
    let amended = ResourceRow {
        version: 2,
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
        .lock_resources(organization, &[key(&amended), unknown])
        .await
        .unwrap();
    assert_eq!(locked.len(), 1);
    assert_same(&locked[0], &heads[0]);
    transaction.update_resource(&amended).await.unwrap();
    transaction
        .insert_versions(std::slice::from_ref(&version))
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let (head, current) = app
        .current_version(organization, &key(&amended))
        .await
        .unwrap()
        .unwrap();
    assert_same(&head, &amended);
    assert_same(&current, &version);
    let mut connection = scratch.connect("app").await;
    let kept: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM resource_versions")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(kept, 2);
}

#[tokio::test]
async fn bodies_larger_than_one_statement_carries_are_stored_whole() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let heads = several(organization, id(), 4);
    let versions: Vec<_> = heads
        .iter()
        .map(|head| VersionRow {
            body: Sealed::from_bytes(vec![0xE1; 3 << 20]),
            row_id: RowId::random(),
            ..version_of(head)
        })
        .collect();
    let mut transaction = app.begin().await.unwrap();
    transaction.insert_resources(&heads).await.unwrap();
    transaction.insert_versions(&versions).await.unwrap();
    transaction.commit().await.unwrap();
    let (_, found) = app
        .current_version(organization, &key(&heads[3]))
        .await
        .unwrap()
        .unwrap();
    assert_same(&found, &versions[3]);
}

#[tokio::test]
async fn what_is_locked_keeps_a_second_writer_waiting_until_the_first_is_done() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let heads = several(organization, id(), 2);
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
            rows[0].version
        }
    });
    let amended = ResourceRow {
        version: 2,
        ..heads[0].clone()
    };
    first.update_resource(&amended).await.unwrap();
    // The second asks meanwhile; what it gets it gets after this.
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    done.store(true, Ordering::SeqCst);
    first.commit().await.unwrap();
    assert_eq!(second.await.unwrap(), 2);
}

#[tokio::test]
async fn a_resource_is_added_once_even_under_another_owner() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let heads = several(organization, id(), 1);
    store(&app, &heads).await;
    let moved = ResourceRow {
        owner: id(),
        ..heads[0].clone()
    };
    let mut transaction = app.begin().await.unwrap();
    let refused = transaction.insert_resources(&[moved]).await;
    assert!(
        matches!(refused, Err(Error::AlreadyThere("resources_id"))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn what_was_not_committed_is_not_there() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let heads = several(organization, id(), 2);
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
