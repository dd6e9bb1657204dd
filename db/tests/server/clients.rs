//! Machine clients, and the assertions that they have used.

use db::ClientRow;
use db::Database;
use db::Error;
use phi_types::OrganizationId;
use phi_types::PersonId;
use phi_types::random_bytes;
use time::Duration;

use super::rows::assert_same;
use super::rows::client;
use super::rows::mac;
use super::rows::noon;
use super::rows::person;
use super::scratch::Scratch;

async fn add(app: &Database, row: &ClientRow) -> Result<(), Error> {
    let mut transaction = app.begin().await.unwrap();
    transaction.insert_client(row).await?;
    transaction.commit().await
}

#[tokio::test]
async fn a_client_is_found_by_its_id_and_listed_until_it_is_removed() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let removed = client(&person(organization));
    let live = ClientRow {
        created_by: None,
        ended_at: None,
        ..client(&person(organization))
    };
    let of_another = ClientRow {
        ended_at: None,
        ..client(&person(OrganizationId::random()))
    };
    for row in [&removed, &live, &of_another] {
        add(&app, row).await.unwrap();
    }
    let listed = app.clients(organization).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_same(&listed[0], &live);
    let found = app.client(removed.person).await.unwrap().unwrap();
    assert_same(&found, &removed);
    assert!(app.client(PersonId::random()).await.unwrap().is_none());
    // An id belongs to one client of all organizations.
    let same = ClientRow {
        person: live.person,
        ..client(&person(OrganizationId::random()))
    };
    let refused = add(&app, &same).await;
    assert!(
        matches!(refused, Err(Error::UniqueViolation(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_client_is_changed_under_the_mac_that_was_read() {
    let app = Scratch::migrated().await.app();
    let row = client(&person(OrganizationId::random()));
    add(&app, &row).await.unwrap();
    let changed = ClientRow {
        scopes: "system/Patient.rs".to_owned(),
        jwks: "{}".to_owned(),
        keys_at: noon() + Duration::hours(1),
        ended_at: None,
        mac: mac(),
        ..row.clone()
    };
    for is_first in [true, false] {
        let mut transaction = app.begin().await.unwrap();
        let locked = transaction.lock_client(row.organization, row.person).await;
        assert!(locked.unwrap().is_some());
        let updated = transaction
            .update_client(&changed, row.mac.as_bytes())
            .await;
        assert_eq!(updated.is_ok(), is_first, "{updated:?}");
        if is_first {
            transaction.commit().await.unwrap();
        }
    }
    let stored = app.client(row.person).await.unwrap().unwrap();
    assert_same(&stored, &changed);
}

#[tokio::test]
async fn an_assertion_is_stored_once_until_it_has_expired() {
    let app = Scratch::migrated().await.app();
    let assertion = random_bytes();
    let store = async || {
        let mut transaction = app.begin().await.unwrap();
        transaction.insert_assertion(assertion, noon()).await?;
        transaction.commit().await
    };
    store().await.unwrap();
    let again = store().await;
    assert!(matches!(again, Err(Error::UniqueViolation(_))), "{again:?}");
    let expired = |now| app.delete_assertions_expired_before(now, 10);
    assert_eq!(expired(noon()).await.unwrap(), 0);
    assert!(store().await.is_err());
    assert_eq!(expired(noon() + Duration::SECOND).await.unwrap(), 1);
    store().await.unwrap();
}
