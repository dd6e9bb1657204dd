//! Authenticators, and the credentials that say whether one is required.

use db::AuthenticatorRow;
use db::CredentialRow;
use db::Database;
use db::Error;
use phi_types::OrganizationId;

use super::rows::assert_same;
use super::rows::authenticator;
use super::rows::credential;
use super::rows::mac;
use super::rows::noon;
use super::rows::person;
use super::scratch::Scratch;

async fn add(app: &Database, rows: &[AuthenticatorRow]) {
    let mut transaction = app.begin().await.unwrap();
    transaction.insert_authenticators(rows).await.unwrap();
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn the_authenticators_of_a_person_are_listed_until_they_end() {
    let app = Scratch::migrated().await.app();
    let person = person(OrganizationId::random());
    let ended = authenticator(&person);
    let live = AuthenticatorRow {
        ended_at: None,
        ..authenticator(&person)
    };
    let unused = AuthenticatorRow {
        kind: "recovery-code".to_owned(),
        created_at: noon() + time::Duration::seconds(1),
        confirmed_at: None,
        last_counter: None,
        ended_at: None,
        ..authenticator(&person)
    };
    let of_another = AuthenticatorRow {
        ended_at: None,
        ..authenticator(&super::rows::person(person.organization))
    };
    add(&app, &[ended, live.clone(), unused.clone(), of_another]).await;
    let listed = |limit| app.authenticators(person.organization, person.id, limit);
    let all = listed(20).await.unwrap();
    assert_eq!(all.len(), 2);
    assert_same(&all[0], &live);
    assert_same(&all[1], &unused);
    assert_eq!(listed(1).await.unwrap().len(), 1);
    let elsewhere = app.authenticators(OrganizationId::random(), person.id, 20);
    assert!(elsewhere.await.unwrap().is_empty());
}

#[tokio::test]
async fn of_two_uses_of_one_code_the_second_fails() {
    let app = Scratch::migrated().await.app();
    let person = person(OrganizationId::random());
    let row = AuthenticatorRow {
        ended_at: None,
        ..authenticator(&person)
    };
    add(&app, std::slice::from_ref(&row)).await;
    let used = AuthenticatorRow {
        last_counter: row.last_counter.map(|step| step + 1),
        challenged_at: row.challenged_at.map(|at| at + time::Duration::SECOND),
        mac: mac(),
        ..row.clone()
    };
    let mut transaction = app.begin().await.unwrap();
    let before = row.mac.as_bytes();
    transaction
        .update_authenticator(&used, before)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let mut transaction = app.begin().await.unwrap();
    let again = transaction.update_authenticator(&used, before).await;
    assert!(matches!(again, Err(Error::Conflict)), "{again:?}");
    let stored = app.authenticators(person.organization, person.id, 20).await;
    assert_same(&stored.unwrap()[0], &used);
}

#[tokio::test]
async fn a_credential_is_changed_under_the_mac_that_was_read() {
    let app = Scratch::migrated().await.app();
    let person = person(OrganizationId::random());
    let row = CredentialRow {
        second_factor_at: None,
        ..credential(&person)
    };
    let mut transaction = app.begin().await.unwrap();
    transaction.insert_person(&person).await.unwrap();
    transaction.insert_credential(&row).await.unwrap();
    transaction.commit().await.unwrap();
    let changed = CredentialRow {
        row_id: row.row_id,
        ..credential(&person)
    };
    for is_first in [true, false] {
        let mut transaction = app.begin().await.unwrap();
        let updated = transaction
            .update_credential(&changed, row.mac.as_bytes())
            .await;
        assert_eq!(updated.is_ok(), is_first, "{updated:?}");
        if is_first {
            transaction.commit().await.unwrap();
        }
    }
    let stored = app.credential(person.organization, person.id).await;
    assert_same(&stored.unwrap().unwrap(), &changed);
}
