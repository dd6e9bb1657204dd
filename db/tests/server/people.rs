//! Organizations, people and credentials.

use db::Database;
use db::Error;
use db::OrganizationRow;
use db::PersonRow;
use phi_types::OrganizationId;

use super::rows::assert_same;
use super::rows::credential;
use super::rows::mac;
use super::rows::noon;
use super::rows::organization;
use super::rows::person;
use super::rows::token;
use super::scratch::Scratch;

async fn add(app: &Database, row: &PersonRow) -> Result<(), Error> {
    let mut transaction = app.begin().await.unwrap();
    transaction.insert_person(row).await?;
    transaction.commit().await
}

async fn add_organization(app: &Database, row: &OrganizationRow) -> Result<(), Error> {
    let mut transaction = app.begin().await.unwrap();
    transaction.insert_organization(row).await?;
    transaction.commit().await
}

#[tokio::test]
async fn an_organization_is_found_by_its_name_and_by_its_id() {
    let app = Scratch::migrated().await.app();
    let row = OrganizationRow {
        name: "Clínica de Ñuñoa 🏥".to_owned(),
        ..organization()
    };
    add_organization(&app, &row).await.unwrap();
    assert_same(
        &app.organization_named(&row.name).await.unwrap().unwrap(),
        &row,
    );
    assert_same(
        &app.organization(row.organization).await.unwrap().unwrap(),
        &row,
    );
    assert!(
        app.organization(OrganizationId::random())
            .await
            .unwrap()
            .is_none()
    );
    let again = OrganizationRow {
        name: row.name.clone(),
        ..organization()
    };
    let refused = add_organization(&app, &again).await;
    assert!(
        matches!(refused, Err(Error::UniqueViolation("organizations_name"))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn another_spelling_is_another_name_and_no_sign_of_tampering() {
    let app = Scratch::migrated().await.app();
    let named = |name: &str| OrganizationRow {
        name: name.to_owned(),
        ..organization()
    };
    let row = named("Clínica de Ñuñoa");
    add_organization(&app, &row).await.unwrap();
    for other in ["Clinica de Nunoa", "clínica de ñuñoa", "Clínica de Ñuñoa!"] {
        assert!(
            app.organization_named(other).await.unwrap().is_none(),
            "{other}"
        );
    }
    let padded = app.organization_named("Clínica de Ñuñoa ").await.unwrap();
    assert_same(&padded.unwrap(), &row);
    add_organization(&app, &named("Clinica de Nunoa"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_person_is_found_by_email_token_and_by_id_but_only_in_their_organization() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let row = PersonRow {
        active: false,
        ..person(organization)
    };
    add(&app, &row).await.unwrap();
    assert_same(
        &app.person_by_email(row.email_token).await.unwrap().unwrap(),
        &row,
    );
    assert_same(
        &app.person(organization, row.id).await.unwrap().unwrap(),
        &row,
    );
    assert!(app.person_by_email(token()).await.unwrap().is_none());
    let elsewhere = app.person(OrganizationId::random(), row.id).await.unwrap();
    assert!(elsewhere.is_none());
}

#[tokio::test]
async fn an_address_belongs_to_one_person_of_all_organizations() {
    let app = Scratch::migrated().await.app();
    let first = person(OrganizationId::random());
    add(&app, &first).await.unwrap();
    let second = PersonRow {
        email_token: first.email_token,
        ..person(OrganizationId::random())
    };
    let refused = add(&app, &second).await;
    assert!(
        matches!(refused, Err(Error::UniqueViolation("people_email"))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn people_are_listed_for_one_organization_oldest_first() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let younger = PersonRow {
        created_at: noon() + time::Duration::microseconds(1),
        ..person(organization)
    };
    let older = person(organization);
    for row in [&younger, &older, &person(OrganizationId::random())] {
        add(&app, row).await.unwrap();
    }
    let people = app.people(organization).await.unwrap();
    assert_eq!(people.len(), 2);
    assert_same(&people[0], &older);
    assert_same(&people[1], &younger);
}

#[tokio::test]
async fn a_person_has_one_credential_and_what_is_rolled_back_is_not_there() {
    let app = Scratch::migrated().await.app();
    let person = person(OrganizationId::random());
    let row = credential(&person);
    let mut dropped = app.begin().await.unwrap();
    dropped.insert_credential(&row).await.unwrap();
    dropped.rollback().await.unwrap();
    let absent = app.credential(row.organization, row.person).await.unwrap();
    assert!(absent.is_none());
    let mut kept = app.begin().await.unwrap();
    kept.insert_credential(&row).await.unwrap();
    let mut other = credential(&person);
    other.mac = mac();
    let refused = kept.insert_credential(&other).await;
    assert!(
        matches!(refused, Err(Error::UniqueViolation(_))),
        "{refused:?}"
    );
    kept.commit().await.unwrap();
    let found = app.credential(row.organization, row.person).await.unwrap();
    assert_same(&found.unwrap(), &row);
}
