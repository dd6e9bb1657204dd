//! Versions by number and by age, and tombstones.

use db::Database;
use db::HistoryPosition;
use db::ResourceKey;
use db::ResourceRow;
use db::VersionRow;
use phi_types::Deleted;
use phi_types::OrganizationId;
use phi_types::Owner;
use phi_types::PatientId;
use phi_types::RowId;
use phi_types::Sealed;
use time::Duration;
use uuid::Uuid;

use super::rows::assert_same;
use super::rows::id;
use super::rows::mac;
use super::rows::noon;
use super::rows::resource;
use super::rows::version_of;
use super::scratch::Scratch;

const KIND: &str = "SubstanceReferenceInformation";

fn key(id: Uuid) -> ResourceKey {
    ResourceKey { kind: KIND, id }
}

/// Stores a resource and moves it to each of `versions` in turn, which are seconds after noon.
async fn store(app: &Database, first: &ResourceRow, seconds: &[i64]) -> Vec<VersionRow> {
    let (mut head, mut stored) = (first.clone(), Vec::new());
    for (number, seconds) in seconds.iter().enumerate() {
        let before = head.mac;
        head.version = u32::try_from(number).unwrap() + 1;
        head.version_row = RowId::random();
        head.updated_at = noon() + Duration::seconds(*seconds);
        head.mac = mac();
        let version = VersionRow {
            // Bodies of different lengths.
            body: Sealed::from_bytes(vec![0xE1; 100 + number]),
            ..version_of(&head)
        };
        let mut transaction = app.begin().await.unwrap();
        if number == 0 {
            transaction
                .insert_resources(std::slice::from_ref(&head))
                .await
                .unwrap();
        } else {
            transaction
                .update_resource(&head, before.as_bytes())
                .await
                .unwrap();
        }
        transaction
            .insert_versions(std::slice::from_ref(&version))
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        stored.push(version);
    }
    stored
}

#[track_caller]
fn assert_all_same(found: &[VersionRow], stored: &[&VersionRow]) {
    assert_eq!(found.len(), stored.len());
    for (found, stored) in found.iter().zip(stored) {
        assert_same(found, *stored);
    }
}

#[tokio::test]
async fn a_tombstone_is_the_current_version_until_the_resource_is_stored_again() {
    let scratch = Scratch::migrated().await;
    let app = scratch.app();
    let (organization, patient) = (OrganizationId::random(), PatientId::random());
    let first = resource(organization, patient, KIND);
    let key = key(first.id);
    let mut before = first.mac;
    for (version, deleted) in [(1, None), (2, Some(Deleted)), (3, None)] {
        let head = ResourceRow {
            version,
            version_row: RowId::random(),
            deleted,
            mac: mac(),
            ..first.clone()
        };
        let row = version_of(&head);
        assert_eq!(row.deleted, deleted);
        let mut transaction = app.begin().await.unwrap();
        if version == 1 {
            transaction
                .insert_resources(std::slice::from_ref(&head))
                .await
                .unwrap();
        } else {
            let locked = transaction.lock_resources(organization, std::slice::from_ref(&key));
            assert_eq!(locked.await.unwrap()[0].head.mac, before);
            transaction
                .update_resource(&head, before.as_bytes())
                .await
                .unwrap();
        }
        transaction
            .insert_versions(std::slice::from_ref(&row))
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        let current = app.current_version(organization, &key).await.unwrap();
        let current = current.unwrap();
        assert_same(&current.head, &head);
        assert_same(&current.version, &row);
        let read = app.resource(organization, &key).await.unwrap().unwrap();
        assert_same(&read, &head);
        before = head.mac;
    }
    let mut transaction = app.begin().await.unwrap();
    let owner = Owner::Patient(patient);
    let count = transaction.count_heads(organization, &owner, KIND).await;
    assert_eq!(count.unwrap(), 1);
    let heads = transaction.heads_of(organization, &owner, 10).await;
    assert_eq!(heads.unwrap().len(), 1);
}

#[tokio::test]
async fn each_version_is_found_by_its_number() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let first = resource(organization, PatientId::random(), KIND);
    let stored = store(&app, &first, &[0, 1, 2]).await;
    let key = key(first.id);
    for row in &stored {
        let found = app.version(organization, &key, row.version).await;
        let found = found.unwrap().unwrap();
        assert_same(found.version.as_ref().unwrap(), row);
        assert_eq!((found.head.version, found.newest), (3, 3));
        assert_eq!(found.head.version_row, stored[2].row_id);
    }
    for number in [0, 4, u32::MAX] {
        let found = app.version(organization, &key, number).await;
        let found = found.unwrap().unwrap();
        assert!(found.version.is_none() && found.newest == 3);
    }
    let unknown = ResourceKey {
        kind: KIND,
        id: id(),
    };
    for (organization, key) in [
        (organization, &unknown),
        (OrganizationId::random(), &key.clone()),
    ] {
        let found = app.version(organization, key, 1).await.unwrap();
        assert!(found.is_none());
    }
}

#[tokio::test]
async fn the_history_of_a_resource_is_returned_in_pages_from_the_newest_version_on() {
    let app = Scratch::migrated().await.app();
    let (organization, patient) = (OrganizationId::random(), PatientId::random());
    let first = resource(organization, patient, KIND);
    let mut stored = store(&app, &first, &[0, 1, 2, 3, 4, 5, 6]).await;
    store(&app, &resource(organization, patient, KIND), &[0, 9]).await;
    stored.reverse();
    let (owner, key) = (Owner::Patient(patient), key(first.id));
    let (mut found, mut below) = (Vec::new(), None);
    loop {
        let lengths = app.history_lengths(organization, &owner, &key, below, 3);
        let lengths = lengths.await.unwrap();
        let page = app.history(organization, &owner, &key, below, 3);
        let page = page.await.unwrap();
        let bytes = page.iter().map(|row| row.body.as_bytes().len());
        assert_eq!(bytes.collect::<Vec<_>>(), lengths);
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 3);
        below = Some(last.version);
        found.extend(page);
    }
    assert_all_same(&found, &stored.iter().collect::<Vec<_>>());
    let other = Owner::Patient(PatientId::random());
    let other = app.history(organization, &other, &key, None, 3).await;
    assert!(other.unwrap().is_empty());
}

#[tokio::test]
async fn the_history_of_a_type_is_ordered_by_time_and_loses_nothing_between_pages() {
    let app = Scratch::migrated().await.app();
    let (organization, patient) = (OrganizationId::random(), PatientId::random());
    let mut stored = Vec::new();
    // All at one time, several versions of one resource too, and interleaved ones.
    for seconds in [&[0, 0, 0][..], &[0, 0], &[0, 5, 10], &[3, 5, 8], &[10]] {
        let first = resource(organization, patient, KIND);
        stored.extend(store(&app, &first, seconds).await);
    }
    let elsewhere = resource(organization, PatientId::random(), KIND);
    store(&app, &elsewhere, &[0, 5]).await;
    let other = resource(organization, patient, "Observation");
    store(&app, &other, &[0, 5]).await;
    stored.sort_unstable_by_key(|row| std::cmp::Reverse(HistoryPosition::of(row)));
    let owner = Owner::Patient(patient);
    for limit in [1, 2, 5, 100] {
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let lengths = app.history_lengths_of(organization, &owner, KIND, before, limit);
            let lengths = lengths.await.unwrap();
            let page = app.history_of(organization, &owner, KIND, before, limit);
            let page = page.await.unwrap();
            let bytes = page.iter().map(|row| row.body.as_bytes().len());
            assert_eq!(bytes.collect::<Vec<_>>(), lengths);
            let Some(last) = page.last() else { break };
            before = Some(HistoryPosition::of(last));
            found.extend(page);
        }
        assert_all_same(&found, &stored.iter().collect::<Vec<_>>());
    }
}
