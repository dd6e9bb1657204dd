//! Owners: guarded updates and locks.

use db::Database;
use db::Error;
use db::OwnerRow;
use phi_types::AuthenticatedRow as _;
use phi_types::OrganizationId;
use phi_types::Owner;
use phi_types::OwnerState;
use phi_types::PatientId;

use super::rows::assert_same;
use super::rows::id;
use super::rows::mac;
use super::rows::owner;
use super::rows::sealed;
use super::scratch::Scratch;

async fn add(app: &Database, rows: &[OwnerRow]) -> Result<(), Error> {
    let mut transaction = app.begin().await.unwrap();
    transaction.insert_owners(rows).await?;
    transaction.commit().await
}

async fn update(app: &Database, row: &OwnerRow, before: &OwnerRow) -> Result<(), Error> {
    let mut transaction = app.begin().await.unwrap();
    transaction
        .update_owner(row, before.mac().as_bytes())
        .await?;
    transaction.commit().await
}

#[tokio::test]
async fn an_owner_is_found_by_kind_and_id_in_its_organization_alone() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let owners = [
        Owner::Patient(PatientId::random()),
        Owner::Organization,
        Owner::AuditYear(2026),
    ];
    let rows = owners.map(|it| owner(organization, &it));
    add(&app, &rows).await.unwrap();
    for (it, row) in owners.iter().zip(&rows) {
        assert_same(&app.owner(organization, it).await.unwrap().unwrap(), row);
    }
    for (organization, it) in [
        (OrganizationId::random(), owners[0]),
        (organization, Owner::Patient(PatientId::random())),
        (organization, Owner::AuditYear(2027)),
        (organization, Owner::System),
    ] {
        assert!(app.owner(organization, &it).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn columns_without_a_value_are_returned_without_one() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let patient = Owner::Patient(PatientId::random());
    let row = OwnerRow {
        tombstone: None,
        audit_year: None,
        ..owner(organization, &patient)
    };
    add(&app, std::slice::from_ref(&row)).await.unwrap();
    let found = app.owner(organization, &patient).await.unwrap().unwrap();
    assert_eq!((found.tombstone, found.audit_year), (None, None));
    assert_same(&found, &row);
}

#[tokio::test]
async fn an_owner_is_added_once() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let patient = Owner::Patient(PatientId::random());
    let row = owner(organization, &patient);
    add(&app, std::slice::from_ref(&row)).await.unwrap();
    let refused = add(&app, &[owner(organization, &patient)]).await;
    assert!(
        matches!(refused, Err(Error::UniqueViolation(_))),
        "{refused:?}"
    );
    assert_same(
        &app.owner(organization, &patient).await.unwrap().unwrap(),
        &row,
    );
}

#[tokio::test]
async fn an_update_applies_once_to_the_row_as_it_was_read() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let patient = Owner::Patient(PatientId::random());
    let read = owner(organization, &patient);
    let other = owner(organization, &Owner::Patient(PatientId::random()));
    add(&app, &[read.clone(), other.clone()]).await.unwrap();
    let changed = |holds| OwnerRow {
        state: OwnerState::Destroyed,
        holds,
        key_version: 7,
        tombstone: Some(id()),
        audit_year: None,
        heads: sealed(),
        mac: mac(),
        ..read.clone()
    };
    let (first, second) = (changed(0), changed(1));
    update(&app, &first, &read).await.unwrap();
    let late = update(&app, &second, &read).await;
    assert!(matches!(late, Err(Error::Conflict)), "{late:?}");
    assert_same(
        &app.owner(organization, &patient).await.unwrap().unwrap(),
        &first,
    );
    update(&app, &second, &first).await.unwrap();
    assert_same(
        &app.owner(organization, &patient).await.unwrap().unwrap(),
        &second,
    );
    let others = Owner::from_parts(organization, other.owner_kind, other.owner).unwrap();
    assert_same(
        &app.owner(organization, &others).await.unwrap().unwrap(),
        &other,
    );
}

#[tokio::test]
async fn a_missing_owner_is_not_made_by_an_update() {
    let app = Scratch::migrated().await.app();
    let row = owner(OrganizationId::random(), &Owner::Organization);
    let refused = update(&app, &row, &row).await;
    assert!(matches!(refused, Err(Error::Conflict)), "{refused:?}");
}

#[tokio::test]
async fn a_locked_owner_makes_a_second_writer_wait_and_fail_its_guard() {
    let app = Scratch::migrated().await.app();
    let organization = OrganizationId::random();
    let patient = Owner::Patient(PatientId::random());
    let read = owner(organization, &patient);
    add(&app, std::slice::from_ref(&read)).await.unwrap();
    let mut first = app.begin().await.unwrap();
    let locked = first.lock_owner(organization, &patient).await.unwrap();
    assert_same(&locked.unwrap(), &read);
    let next = OwnerRow {
        holds: 3,
        mac: mac(),
        ..read.clone()
    };
    let second = tokio::spawn({
        let (app, rival, read) = (app.clone(), next.clone(), read.clone());
        async move {
            update(
                &app,
                &OwnerRow {
                    mac: mac(),
                    ..rival
                },
                &read,
            )
            .await
        }
    });
    first
        .update_owner(&next, read.mac.as_bytes())
        .await
        .unwrap();
    first.commit().await.unwrap();
    let late = second.await.unwrap();
    assert!(matches!(late, Err(Error::Conflict)), "{late:?}");
    assert_same(
        &app.owner(organization, &patient).await.unwrap().unwrap(),
        &next,
    );
}
