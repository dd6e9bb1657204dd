//! The release floor: insertion, raising, and the writes that it refuses.

use std::slice::from_ref;
use std::sync::Arc;

use db::Database;
use db::Error;
use db::FloorError;
use db::RELEASE;
use db::ReleaseFloorRow;
use phi_types::AuthenticatedRow as _;
use phi_types::OrganizationId;
use phi_types::Owner;
use sqlx::AssertSqlSafe;
use sqlx::Executor as _;
use sqlx::MySqlConnection;

use super::rows;
use super::rows::assert_same;
use super::rows::mac;
use super::rows::noon;
use super::rows::owner;
use super::scratch::Scratch;
use super::scratch::TrustedFloor;

async fn set_lowest(connection: &mut MySqlConnection, lowest: u32) {
    let sql = format!("UPDATE release_floor SET lowest = {lowest}");
    connection.execute(AssertSqlSafe(sql)).await.unwrap();
}

fn raised(floor: &ReleaseFloorRow) -> ReleaseFloorRow {
    ReleaseFloorRow {
        lowest: floor.lowest + 1,
        mac: mac(),
        ..floor.clone()
    }
}

async fn raise(app: &Database, to: &ReleaseFloorRow, from: &ReleaseFloorRow) -> Result<(), Error> {
    let mut transaction = app.begin().await?;
    transaction
        .raise_release_floor(to, from.mac.as_bytes())
        .await?;
    transaction.commit().await
}

/// One write of each kind: a transaction, a guarded statement, a deletion.
async fn writes(app: &Database) -> [Result<(), Error>; 3] {
    let organization = OrganizationId::random();
    let session = rows::session(&rows::person(organization));
    [
        app.begin().await.map(drop),
        app.touch_session(&session, session.mac().as_bytes()).await,
        app.delete_sessions_expired_before(noon()).await,
    ]
}

#[tokio::test]
async fn a_build_below_the_floor_writes_nothing_and_one_at_the_floor_writes() {
    let scratch = Scratch::migrated().await;
    let mut intruder = scratch.connect("migrate").await;
    let app = scratch.app();
    assert!(app.begin().await.is_ok());
    assert!(app.floor_is_at_least(RELEASE) && !app.floor_is_at_least(RELEASE + 1));
    set_lowest(&mut intruder, RELEASE + 1).await;
    // A process that has seen the lower floor, and one that was started after it was raised.
    for app in [app, scratch.app()] {
        assert!(app.check_floor().await.is_err());
        for write in writes(&app).await {
            let needed = RELEASE + 1;
            let outdated = matches!(write, Err(Error::Floor(FloorError::Outdated { needed: it })) if it == needed);
            assert!(outdated, "{write:?}");
        }
        assert!(app.floor_is_at_least(RELEASE + 1));
    }
}

#[tokio::test]
async fn a_transaction_that_begins_after_the_floor_was_raised_is_refused_however_lately_it_was_verified()
 {
    let scratch = Scratch::migrated().await;
    let mut intruder = scratch.connect("migrate").await;
    let app = scratch.app();
    app.check_floor().await.unwrap();
    set_lowest(&mut intruder, RELEASE + 1).await;
    let refused = app.begin().await.map(drop);
    let outdated = matches!(refused, Err(Error::Floor(FloorError::Outdated { .. })));
    assert!(outdated, "{refused:?}");
}

#[tokio::test]
async fn a_missing_floor_one_put_back_and_one_that_nothing_verifies_refuse_every_write() {
    let scratch = Scratch::migrated().await;
    let mut intruder = scratch.connect("migrate").await;
    let app = scratch.app();
    set_lowest(&mut intruder, 1).await;
    app.check_floor().await.unwrap();
    let unverified = Database::new(&scratch.settings("app"));
    for write in writes(&unverified).await {
        let refused = matches!(write, Err(Error::Floor(FloorError::Unverifiable)));
        assert!(refused, "{write:?}");
    }
    for change in [
        "UPDATE release_floor SET lowest = 0",
        "DELETE FROM release_floor",
    ] {
        intruder.execute(change).await.unwrap();
        let refused = app.begin().await.map(drop);
        let tampered = matches!(refused, Err(Error::Floor(FloorError::Tampered)));
        assert!(tampered, "{change}: {refused:?}");
    }
    let app = scratch.app();
    for write in writes(&app).await {
        assert!(
            matches!(write, Err(Error::Floor(FloorError::Tampered))),
            "{write:?}"
        );
    }
}

#[tokio::test]
async fn the_floor_is_raised_from_what_was_read_and_never_lowered() {
    let scratch = Scratch::migrated().await;
    let app = scratch.app();
    let first = app.release_floor().await.unwrap().unwrap();
    let lower = ReleaseFloorRow {
        lowest: first.lowest - 1,
        ..raised(&first)
    };
    let forged = ReleaseFloorRow {
        mac: mac(),
        ..first.clone()
    };
    for (to, from) in [
        (&lower, &first),
        (&first, &first),
        (&raised(&first), &forged),
    ] {
        let refused = raise(&app, to, from).await;
        assert!(matches!(refused, Err(Error::Conflict)), "{refused:?}");
    }
    assert_same(&app.release_floor().await.unwrap().unwrap(), &first);
    let second = raised(&first);
    raise(&app, &second, &first).await.unwrap();
    assert_same(&app.release_floor().await.unwrap().unwrap(), &second);
}

#[tokio::test]
async fn the_floor_is_not_raised_while_a_transaction_that_began_under_it_is_open() {
    let scratch = Scratch::migrated().await;
    let app = scratch.app();
    let mut finisher = scratch.connect("migrate").await;
    let short = "SET SESSION innodb_lock_wait_timeout = 1";
    finisher.execute(short).await.unwrap();
    let mut open = app.begin().await.unwrap();
    let raise = format!("UPDATE release_floor SET lowest = {}", RELEASE + 1);
    assert!(
        finisher
            .execute(AssertSqlSafe(raise.clone()))
            .await
            .is_err()
    );
    let row = owner(OrganizationId::random(), &Owner::Organization);
    open.insert_owners(from_ref(&row)).await.unwrap();
    open.commit().await.unwrap();
    finisher.execute(AssertSqlSafe(raise)).await.unwrap();
}

#[tokio::test]
async fn there_is_one_first_floor() {
    let scratch = Scratch::migrated().await;
    let app = Database::new(&scratch.settings("app"));
    app.set_floor_verifier(Arc::new(TrustedFloor));
    let floor = app.release_floor().await.unwrap().unwrap();
    let again = app.begin_with_first_floor(&floor).await.map(drop);
    assert!(matches!(again, Err(Error::UniqueViolation(_))), "{again:?}");
}
