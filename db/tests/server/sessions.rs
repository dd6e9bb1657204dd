use db::{PersonId, SessionRow, TokenRow};
use phi::OrganizationId;
use time::Duration;

use super::rows::{assert_same, bytes32, id, mac, noon};
use super::scratch::Scratch;

fn session() -> SessionRow {
    SessionRow {
        token_hash: bytes32(),
        organization: OrganizationId::random(),
        person: PersonId(id()),
        created_at: noon(),
        seen_at: noon(),
        mac: mac(),
    }
}

fn token() -> TokenRow {
    TokenRow {
        token_hash: bytes32(),
        organization: OrganizationId::random(),
        person: PersonId(id()),
        role: "clinician".to_owned(),
        created_at: noon(),
        expires_at: noon() + Duration::hours(1),
        mac: mac(),
    }
}

#[tokio::test]
async fn a_session_comes_back_by_its_hash_until_it_is_ended() {
    let app = Scratch::migrated().await.app();
    let row = session();
    app.insert_session(&row).await.unwrap();
    assert_same(&app.session(row.token_hash).await.unwrap().unwrap(), &row);
    assert!(app.session(bytes32()).await.unwrap().is_none());
    app.delete_session(row.token_hash).await.unwrap();
    assert!(app.session(row.token_hash).await.unwrap().is_none());
}

#[tokio::test]
async fn a_session_is_only_ever_seen_later_and_an_ended_one_stays_ended() {
    let app = Scratch::migrated().await.app();
    let row = session();
    app.insert_session(&row).await.unwrap();
    let later = SessionRow {
        seen_at: noon() + Duration::minutes(5),
        mac: mac(),
        ..row.clone()
    };
    app.touch_session(&later).await.unwrap();
    app.touch_session(&row).await.unwrap();
    assert_same(&app.session(row.token_hash).await.unwrap().unwrap(), &later);
    app.delete_session(row.token_hash).await.unwrap();
    app.touch_session(&later).await.unwrap();
    assert!(app.session(row.token_hash).await.unwrap().is_none());
}

#[tokio::test]
async fn only_sessions_idle_for_too_long_are_cleared_away() {
    let app = Scratch::migrated().await.app();
    let (idle, used) = (
        session(),
        SessionRow {
            seen_at: noon() + Duration::minutes(1),
            ..session()
        },
    );
    for row in [&idle, &used] {
        app.insert_session(row).await.unwrap();
    }
    app.delete_sessions_idle_since(used.seen_at).await.unwrap();
    assert!(app.session(idle.token_hash).await.unwrap().is_none());
    assert!(app.session(used.token_hash).await.unwrap().is_some());
}

#[tokio::test]
async fn a_token_comes_back_by_its_hash_until_it_is_ended_or_cleared_away() {
    let app = Scratch::migrated().await.app();
    let (ended, expired, valid) = (token(), token(), token());
    let valid = TokenRow {
        expires_at: noon() + Duration::hours(2),
        ..valid
    };
    for row in [&ended, &expired, &valid] {
        app.insert_token(row).await.unwrap();
        assert_same(&app.token(row.token_hash).await.unwrap().unwrap(), row);
    }
    app.delete_token(ended.token_hash).await.unwrap();
    app.delete_tokens_expired_before(valid.expires_at)
        .await
        .unwrap();
    assert!(app.token(ended.token_hash).await.unwrap().is_none());
    assert!(app.token(expired.token_hash).await.unwrap().is_none());
    assert!(app.token(valid.token_hash).await.unwrap().is_some());
}
