//! Sessions: use, end and expiry.

use db::Database;
use db::Error;
use db::SessionRow;
use phi_types::AuthenticatedRow as _;
use phi_types::OrganizationId;
use phi_types::random_bytes;
use phi_types::row_digest;
use time::Duration;

use super::rows::assert_same;
use super::rows::mac;
use super::rows::noon;
use super::rows::person;
use super::rows::session;
use super::scratch::Scratch;

fn any() -> SessionRow {
    session(&person(OrganizationId::random()))
}

async fn add(app: &Database, row: &SessionRow) -> Result<(), Error> {
    let mut transaction = app.begin().await.unwrap();
    transaction.insert_session(row).await?;
    transaction.commit().await
}

async fn end(app: &Database, row: &SessionRow, before: &SessionRow) -> Result<(), Error> {
    let mut transaction = app.begin().await.unwrap();
    transaction
        .end_session(row, before.mac().as_bytes())
        .await?;
    transaction.commit().await
}

async fn stored(app: &Database, row: &SessionRow) -> Option<SessionRow> {
    app.session(row.token_hash).await.unwrap()
}

fn seen_later(row: &SessionRow) -> SessionRow {
    SessionRow {
        seen_at: row.seen_at + Duration::minutes(5),
        mac: mac(),
        ..row.clone()
    }
}

fn ended(row: &SessionRow) -> SessionRow {
    SessionRow {
        ended_at: Some(noon() + Duration::minutes(7)),
        mac: mac(),
        ..row.clone()
    }
}

#[tokio::test]
async fn a_session_is_found_by_its_hash() {
    let app = Scratch::migrated().await.app();
    let bearer = SessionRow {
        kind: "bearer".to_owned(),
        ..any()
    };
    for row in [any(), bearer] {
        add(&app, &row).await.unwrap();
        assert_same(&stored(&app, &row).await.unwrap(), &row);
    }
    assert!(app.session(random_bytes()).await.unwrap().is_none());
}

#[tokio::test]
async fn an_ended_session_remains_as_a_row_with_its_end() {
    let app = Scratch::migrated().await.app();
    let row = any();
    add(&app, &row).await.unwrap();
    let over = ended(&row);
    end(&app, &over, &row).await.unwrap();
    assert_same(&stored(&app, &row).await.unwrap(), &over);
    let twice = end(&app, &ended(&row), &row).await;
    assert!(matches!(twice, Err(Error::Conflict)), "{twice:?}");
}

#[tokio::test]
async fn a_use_is_stored_once_for_the_row_as_it_was_read() {
    let app = Scratch::migrated().await.app();
    let row = any();
    add(&app, &row).await.unwrap();
    let later = seen_later(&row);
    app.touch_session(&later, row.mac().as_bytes())
        .await
        .unwrap();
    let late = app
        .touch_session(&seen_later(&row), row.mac().as_bytes())
        .await;
    assert!(matches!(late, Err(Error::Conflict)), "{late:?}");
    assert_same(&stored(&app, &row).await.unwrap(), &later);
    // The time of use is a volatile column, which the digest does not cover.
    assert_eq!(row_digest(&later), row_digest(&row));
}

#[tokio::test]
async fn a_use_does_not_revive_a_session_that_ended_meanwhile() {
    let app = Scratch::migrated().await.app();
    let row = any();
    add(&app, &row).await.unwrap();
    let over = ended(&row);
    end(&app, &over, &row).await.unwrap();
    let late = app
        .touch_session(&seen_later(&row), row.mac().as_bytes())
        .await;
    assert!(matches!(late, Err(Error::Conflict)), "{late:?}");
    assert_same(&stored(&app, &row).await.unwrap(), &over);
}

#[tokio::test]
async fn a_locked_session_is_the_newest_and_makes_a_use_wait() {
    let app = Scratch::migrated().await.app();
    let row = any();
    add(&app, &row).await.unwrap();
    let mut ending = app.begin().await.unwrap();
    let locked = ending.lock_session(row.token_hash).await.unwrap().unwrap();
    assert_same(&locked, &row);
    let using = tokio::spawn({
        let (app, row) = (app.clone(), row.clone());
        async move {
            app.touch_session(&seen_later(&row), row.mac().as_bytes())
                .await
        }
    });
    let over = ended(&locked);
    ending
        .end_session(&over, locked.mac().as_bytes())
        .await
        .unwrap();
    ending.commit().await.unwrap();
    let late = using.await.unwrap();
    assert!(matches!(late, Err(Error::Conflict)), "{late:?}");
    assert_same(&stored(&app, &row).await.unwrap(), &over);
}

#[tokio::test]
async fn only_sessions_past_their_absolute_limit_are_removed() {
    let app = Scratch::migrated().await.app();
    let (expired, valid) = (any(), any());
    let valid = SessionRow {
        expires_at: expired.expires_at + Duration::microseconds(1),
        ..valid
    };
    // An ended session is not deleted before its limit either.
    let over = SessionRow {
        expires_at: valid.expires_at,
        ..ended(&any())
    };
    for row in [&expired, &valid, &over] {
        add(&app, row).await.unwrap();
    }
    app.delete_sessions_expired_before(valid.expires_at)
        .await
        .unwrap();
    assert!(stored(&app, &expired).await.is_none());
    assert!(stored(&app, &valid).await.is_some());
    assert!(stored(&app, &over).await.is_some());
}
