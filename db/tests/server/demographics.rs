use std::collections::HashSet;

use db::{Database, DemographicsRow, Error, RosterKey};
use phi_types::{OrganizationId, PatientId, RowId};

use super::rows::{assert_same, demographics, mac, sealed};
use super::scratch::Scratch;

async fn put(app: &Database, row: &DemographicsRow) -> Result<(), Error> {
    let mut transaction = app.begin().await.unwrap();
    transaction
        .replace_demographics(row, row.version == 1)
        .await?;
    transaction.commit().await
}

fn key_of(row: &DemographicsRow) -> RosterKey {
    RosterKey {
        patient: row.patient,
        row_id: row.row_id,
    }
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
async fn a_new_version_takes_the_old_ones_place_and_the_roster_can_tell() {
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
    let keys = app.roster_keys(organization).await.unwrap();
    assert_eq!(keys, [key_of(&second)]);
}

#[tokio::test]
async fn the_roster_has_a_key_for_each_patient_of_the_organization_and_no_other() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let rows: Vec<_> = (0..30).map(|_| demographics(organization)).collect();
    for row in rows.iter().chain([&demographics(OrganizationId::random())]) {
        put(&app, row).await.unwrap();
    }
    let found: HashSet<_> = app
        .roster_keys(organization)
        .await
        .unwrap()
        .into_iter()
        .collect();
    assert_eq!(found, rows.iter().map(key_of).collect());
}
