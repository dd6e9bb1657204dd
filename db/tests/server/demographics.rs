use std::collections::HashSet;

use db::{Database, DemographicsRow, Error, RosterKey};
use phi::{OrganizationId, PatientId, RowId};

use super::rows::{assert_same, demographics, index, mac, sealed};
use super::scratch::Scratch;

async fn put(app: &Database, row: &DemographicsRow) -> Result<(), Error> {
    let mut transaction = app.begin().await.unwrap();
    transaction.replace_demographics(row).await?;
    transaction.commit().await
}

fn key_of(row: &DemographicsRow) -> RosterKey {
    RosterKey {
        patient: row.patient,
        row_id: row.row_id,
    }
}

#[tokio::test]
async fn demographics_come_back_for_those_asked_for_that_exist_in_that_organization() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let rows = [demographics(organization), demographics(organization)];
    let elsewhere = demographics(OrganizationId::random());
    for row in rows.iter().chain([&elsewhere]) {
        put(&app, row).await.unwrap();
    }
    let asked = [rows[1].patient, PatientId::random(), elsewhere.patient];
    let found = app.demographics(organization, &asked).await.unwrap();
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

#[tokio::test]
async fn patients_are_found_by_either_number_each_once() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let one = demographics(organization);
    // Two patients may share a social security number: a mistake that happens.
    let twin = DemographicsRow {
        ssn_index: one.ssn_index,
        ..demographics(organization)
    };
    for row in [&one, &twin] {
        put(&app, row).await.unwrap();
    }
    let by = async |mrn, ssn| {
        app.patients_by_number(organization, mrn, ssn)
            .await
            .unwrap()
    };
    assert_eq!(by(one.mrn_index, index()).await, [one.patient]);
    assert_eq!(by(one.mrn_index, index()).await.len(), 1);
    let both: HashSet<_> = by(index(), one.ssn_index).await.into_iter().collect();
    assert_eq!(both, HashSet::from([one.patient, twin.patient]));
    assert_eq!(by(one.mrn_index, one.ssn_index).await.len(), 2);
    // The same bytes are no number of the other sort.
    assert!(by(one.ssn_index, one.mrn_index).await.is_empty());
    let elsewhere = app
        .patients_by_number(OrganizationId::random(), one.mrn_index, one.ssn_index)
        .await;
    assert!(elsewhere.unwrap().is_empty());
}

#[tokio::test]
async fn a_record_number_belongs_to_one_patient_of_an_organization() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let one = demographics(organization);
    put(&app, &one).await.unwrap();
    let same_number = |organization| DemographicsRow {
        mrn_index: one.mrn_index,
        ..demographics(organization)
    };
    let refused = put(&app, &same_number(organization)).await;
    assert!(
        matches!(refused, Err(Error::AlreadyThere("demographics_mrn"))),
        "{refused:?}"
    );
    put(&app, &same_number(OrganizationId::random()))
        .await
        .unwrap();
    assert_eq!(app.roster_keys(organization).await.unwrap().len(), 1);
}
