//! Demographics, and the roster entries in them.

use db::Database;
use db::DemographicsRow;
use db::Error;
use db::RosterRow;
use phi_types::OrganizationId;
use phi_types::Owner;
use phi_types::PatientId;
use phi_types::Purpose;
use phi_types::RowId;

use super::keys::key;
use super::rows::assert_same;
use super::rows::demographics;
use super::rows::mac;
use super::rows::sealed;
use super::scratch::Scratch;

async fn put(app: &Database, row: &DemographicsRow) -> Result<(), Error> {
    let mut transaction = app.begin().await.unwrap();
    transaction
        .replace_demographics(row, row.version == 1)
        .await?;
    transaction.commit().await
}

/// Patient, row id and entry, as the roster reads them.
fn read_of(row: &RosterRow) -> (PatientId, RowId, Vec<u8>) {
    (row.patient, row.row_id, row.entry.as_bytes().to_vec())
}

/// Patient, row id and entry, as they were stored.
fn stored_of(row: &DemographicsRow) -> (PatientId, RowId, Vec<u8>) {
    (
        row.patient,
        row.row_id,
        row.roster_entry.as_bytes().to_vec(),
    )
}

#[tokio::test]
async fn demographics_are_returned_once_for_each_requested_patient_of_that_organization() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let rows = [demographics(organization), demographics(organization)];
    let elsewhere = demographics(OrganizationId::random());
    for row in rows.iter().chain([&elsewhere]) {
        put(&app, row).await.unwrap();
    }
    // A patient that is requested twice is returned once.
    let requested = [
        rows[1].patient,
        PatientId::random(),
        elsewhere.patient,
        rows[1].patient,
    ];
    let found = app.demographics(organization, &requested).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_same(&found[0], &rows[1]);
    assert!(
        app.demographics(organization, &[])
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_new_version_replaces_the_old_one_also_for_the_roster() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let first = demographics(organization);
    put(&app, &first).await.unwrap();
    let second = DemographicsRow {
        row_id: RowId::random(),
        version: 2,
        family: sealed(),
        mac: mac(),
        ..first.clone()
    };
    put(&app, &second).await.unwrap();
    let found = app
        .demographics(organization, &[first.patient])
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    assert_same(&found[0], &second);
    let read = app.roster_rows(organization, &[first.patient]).await;
    let read: Vec<_> = read.unwrap().iter().map(read_of).collect();
    assert_eq!(read, [stored_of(&second)]);
}

#[tokio::test]
async fn deleted_demographics_are_in_no_roster_and_no_count_until_they_are_stored_again() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let rows = [demographics(organization), demographics(organization)];
    for row in &rows {
        put(&app, row).await.unwrap();
    }
    let (deleted, kept) = (rows[0].patient, rows[1].patient);
    let mut transaction = app.begin().await.unwrap();
    // Twice, since a patient may have none.
    for _ in 0..2 {
        transaction
            .delete_demographics(organization, deleted)
            .await
            .unwrap();
    }
    transaction
        .delete_demographics(OrganizationId::random(), kept)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let start = PatientId::from_uuid(uuid::Uuid::nil());
    let page = app.roster_page(organization, start, 10).await.unwrap();
    assert_eq!(
        page.iter().map(|row| row.patient).collect::<Vec<_>>(),
        [kept]
    );
    assert_eq!(app.count_patients(organization).await.unwrap(), 1);
    let found = app.demographics(organization, &[deleted, kept]).await;
    assert_eq!(found.unwrap().len(), 1);
    put(&app, &rows[0]).await.unwrap();
    assert_eq!(app.count_patients(organization).await.unwrap(), 2);
}

#[tokio::test]
async fn a_roster_reads_each_patient_of_its_organization_once_in_pages() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let mut rows: Vec<_> = (0..30).map(|_| demographics(organization)).collect();
    for row in rows.iter().chain([&demographics(OrganizationId::random())]) {
        put(&app, row).await.unwrap();
    }
    rows.sort_unstable_by_key(|row| row.patient);
    let (mut read, mut after) = (Vec::new(), PatientId::from_uuid(uuid::Uuid::nil()));
    loop {
        let page = app.roster_page(organization, after, 7).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.patient;
        read.extend(page.iter().map(read_of));
    }
    assert_eq!(read, rows.iter().map(stored_of).collect::<Vec<_>>());
    assert_eq!(app.count_patients(organization).await.unwrap(), 30);
}

#[tokio::test]
async fn an_entry_is_returned_with_the_key_that_it_names() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let row = demographics(organization);
    put(&app, &row).await.unwrap();
    let read = app.roster_rows(organization, &[row.patient]).await.unwrap();
    assert!(read[0].key.is_none());
    let owner = Owner::Patient(row.patient);
    let mut key = key(organization, &owner, Purpose::Seal, 1);
    key.id = row.roster_entry.key_id().unwrap();
    let mut transaction = app.begin().await.unwrap();
    transaction.insert_keys(&[key.clone()]).await.unwrap();
    transaction.commit().await.unwrap();
    let read = app.roster_rows(organization, &[row.patient]).await.unwrap();
    assert_same(read[0].key.as_ref().unwrap(), &key);
}
