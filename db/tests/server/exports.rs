//! Bulk exports, and the lists of resources from which they are made.

use db::Database;
use db::Error;
use db::ExportRow;
use db::OwnedId;
use phi_types::AuthenticatedRow as _;
use phi_types::Deleted;
use phi_types::OrganizationId;
use phi_types::Owner;
use phi_types::PatientId;
use phi_types::row_digest;
use time::Duration;
use uuid::Uuid;

use super::rows::assert_same;
use super::rows::export;
use super::rows::id;
use super::rows::mac;
use super::rows::noon;
use super::rows::person;
use super::rows::resource;
use super::rows::sealed;
use super::scratch::Scratch;

fn running(organization: OrganizationId) -> ExportRow {
    ExportRow {
        ended_at: None,
        ..export(&person(organization))
    }
}

async fn add(app: &Database, row: &ExportRow) {
    let mut transaction = app.begin().await.unwrap();
    transaction.insert_export(row).await.unwrap();
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn an_export_is_found_in_its_organization_only() {
    let app = Scratch::migrated().await.app();
    for row in [
        running(OrganizationId::random()),
        export(&person(OrganizationId::random())),
    ] {
        add(&app, &row).await;
        let found = app.export(row.organization, row.id).await.unwrap();
        assert_same(&found.unwrap(), &row);
        let elsewhere = app.export(OrganizationId::random(), row.id).await.unwrap();
        assert!(elsewhere.is_none());
        assert!(app.export(row.organization, id()).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn of_two_instances_that_continue_an_export_one_stores_its_state() {
    let app = Scratch::migrated().await.app();
    let row = running(OrganizationId::random());
    add(&app, &row).await;
    let [first, second] = [(); 2].map(|()| ExportRow {
        state: sealed(),
        mac: mac(),
        ..row.clone()
    });
    app.update_export(&first, row.mac().as_bytes())
        .await
        .unwrap();
    let late = app.update_export(&second, row.mac().as_bytes()).await;
    assert!(matches!(late, Err(Error::Conflict)));
    let found = app.export(row.organization, row.id).await.unwrap().unwrap();
    assert_same(&found, &first);
    // Its progress and its end enter the MAC and not the digest.
    assert_eq!(row_digest(&found), row_digest(&row));
    let ended = ExportRow {
        ended_at: Some(noon()),
        mac: mac(),
        ..first.clone()
    };
    let mut transaction = app.begin().await.unwrap();
    let late = transaction.end_export(&ended, row.mac().as_bytes()).await;
    assert!(matches!(late, Err(Error::Conflict)));
    transaction
        .end_export(&ended, first.mac().as_bytes())
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let found = app.export(row.organization, row.id).await.unwrap().unwrap();
    assert_same(&found, &ended);
}

#[tokio::test]
async fn exports_count_until_they_expire_or_end() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let person = person(organization);
    let of_person = |ended_at| ExportRow {
        ended_at,
        ..export(&person)
    };
    for row in [
        of_person(None),
        of_person(None),
        of_person(Some(noon())),
        running(organization),
        running(OrganizationId::random()),
    ] {
        add(&app, &row).await;
    }
    for (after, expected) in [(23, 2), (24, 0)] {
        let after = noon() + Duration::hours(after);
        let count = app.count_exports(organization, person.id, after);
        assert_eq!(count.await.unwrap(), expected);
    }
}

#[tokio::test]
async fn resources_of_a_type_are_listed_in_pages_over_all_owners() {
    const KIND: &str = "Observation";
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let mut rows: Vec<_> = (0..20)
        .map(|_| resource(organization, PatientId::random(), KIND))
        .collect();
    // The first and the last id that exist are not lost between pages.
    rows[0].id = Uuid::nil();
    rows[1].id = Uuid::max();
    let mut others = vec![
        resource(organization, PatientId::random(), KIND),
        resource(organization, PatientId::random(), "Condition"),
        resource(OrganizationId::random(), PatientId::random(), KIND),
    ];
    others[0].deleted = Some(Deleted);
    let mut transaction = app.begin().await.unwrap();
    transaction.insert_resources(&rows).await.unwrap();
    transaction.insert_resources(&others).await.unwrap();
    transaction.commit().await.unwrap();
    rows.sort_unstable_by_key(|row| row.id);
    let expected: Vec<_> = rows
        .iter()
        .map(|row| OwnedId {
            id: row.id,
            owner: row.owner().unwrap(),
        })
        .collect();
    assert!(
        expected
            .iter()
            .all(|it| matches!(it.owner, Owner::Patient(_)))
    );
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = app.ids_of_type(organization, KIND, None, after, 7);
        let page = page.await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        found.extend(page);
    }
    assert_eq!(found, expected);
    let stored = rows[0].updated_at;
    for (since, count) in [(stored, 20), (stored + Duration::microseconds(1), 0)] {
        let page = app.ids_of_type(organization, KIND, Some(since), None, 100);
        assert_eq!(page.await.unwrap().len(), count);
    }
}
