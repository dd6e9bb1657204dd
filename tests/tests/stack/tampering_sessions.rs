//! An attacker with write access to the database gains no access to the API by the rows of sessions
//! and tokens.

use anyhow::Context;
use bytes::Bytes;
use http::Request;
use http::header;
use tests::Client;
use tests::Role;
use tests::TestResponse;
use tests::fhir;
use uuid::Uuid;

use super::account_fixture::AccountFixture;

#[tokio::test]
async fn a_token_that_is_prolonged_raised_or_moved_to_another_account_is_refused()
-> anyhow::Result<()> {
    let mut fixture = AccountFixture::new().await?;
    let (desk, person) = fixture.sign_in(Role::FrontDesk).await?;
    let (_, admin) = fixture.sign_in(Role::SecurityAdmin).await?;
    let hash = fixture.newest("bearer", person).await?;
    let riverside = fixture.attacker.organization("Riverside").await?;
    let here = fixture.organization;
    let hexed = |id: Uuid| format!("X'{}'", id.simple());
    for (change, back) in [
        (
            "expires_at = expires_at + INTERVAL 1 YEAR".to_owned(),
            "expires_at = expires_at - INTERVAL 1 YEAR".to_owned(),
        ),
        (
            "authenticated_at = authenticated_at + INTERVAL 1 HOUR".to_owned(),
            "authenticated_at = authenticated_at - INTERVAL 1 HOUR".to_owned(),
        ),
        (
            "method = 'passkey'".to_owned(),
            "method = 'password-and-code'".to_owned(),
        ),
        ("id = REVERSE(id)".to_owned(), "id = REVERSE(id)".to_owned()),
        (
            "role = 'clinician'".to_owned(),
            "role = 'front_desk'".to_owned(),
        ),
        (
            format!("person = {}", hexed(admin)),
            format!("person = {}", hexed(person)),
        ),
        (
            format!("organization = {}", hexed(riverside)),
            format!("organization = {}", hexed(here)),
        ),
    ] {
        let sql = |change: &str| format!("UPDATE sessions SET {change} WHERE token_hash = ?");
        fixture
            .change_and_await_expiry(&sql(&change), &[&hash])
            .await?;
        let response = desk.get("/api/v1/session").await?;
        let search = desk.search(&[("family", "Testperson")]).await?;
        fixture.change(&sql(&back), &[&hash]).await?;
        fixture
            .expect_unauthenticated(&response, "sessions", &change)
            .await?;
        fixture
            .expect_unauthenticated(&search, "sessions", &change)
            .await?;
    }
    desk.get("/api/v1/session").await?.expect_status(200)?;
    Ok(())
}

async fn page(client: &Client, cookie: &str) -> anyhow::Result<TestResponse> {
    let request = Request::get("/patients")
        .header(header::COOKIE, cookie)
        .body(Bytes::new())?;
    client.send(request).await
}

#[tokio::test]
async fn a_session_that_is_moved_or_prolonged_is_refused() -> anyhow::Result<()> {
    let mut fixture = AccountFixture::new().await?;
    let anonymous = fixture.running.anonymous();
    let cookie = fixture.sign_in_browser().await?;
    assert_eq!(page(&anonymous, &cookie).await?.status, 200);
    let (_, person) = fixture.sign_in(Role::FrontDesk).await?;
    let (_, admin) = fixture.sign_in(Role::SecurityAdmin).await?;
    let hash = fixture.newest("session", person).await?;
    let hexed = |id: Uuid| format!("X'{}'", id.simple());
    for (change, back) in [
        (
            format!("person = {}", hexed(admin)),
            format!("person = {}", hexed(person)),
        ),
        (
            "expires_at = expires_at + INTERVAL 1 DAY".to_owned(),
            "expires_at = expires_at - INTERVAL 1 DAY".to_owned(),
        ),
        ("kind = 'bearer'".to_owned(), "kind = 'session'".to_owned()),
        (
            "seen_at = seen_at + INTERVAL 1 DAY".to_owned(),
            "seen_at = seen_at - INTERVAL 1 DAY".to_owned(),
        ),
    ] {
        let sql = |change: &str| format!("UPDATE sessions SET {change} WHERE token_hash = ?");
        fixture
            .change_and_await_expiry(&sql(&change), &[&hash])
            .await?;
        let response = page(&anonymous, &cookie).await?;
        fixture.change(&sql(&back), &[&hash]).await?;
        fixture
            .expect_unauthenticated(&response, "sessions", &change)
            .await?;
    }
    assert_eq!(page(&anonymous, &cookie).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_session_that_has_ended_cannot_be_revived() -> anyhow::Result<()> {
    let mut fixture = AccountFixture::new().await?;
    let (desk, person) = fixture.sign_in(Role::FrontDesk).await?;
    let hash = fixture.newest("bearer", person).await?;
    let current = "/api/v1/tokens/current";
    let ended = desk.request(http::Method::DELETE, current, "", "").await?;
    ended.expect_status(204)?;
    assert_eq!(desk.get("/api/v1/session").await?.status, 401);
    let sql = "UPDATE sessions SET ended_at = NULL WHERE token_hash = ?";
    fixture.change_and_await_expiry(sql, &[&hash]).await?;
    let response = desk.get("/api/v1/session").await?;
    fixture
        .expect_unauthenticated(&response, "sessions", "revived")
        .await
}

#[tokio::test]
async fn a_session_that_is_inserted_in_the_database_grants_no_access() -> anyhow::Result<()> {
    let mut fixture = AccountFixture::new().await?;
    let anonymous = fixture.running.anonymous();
    let (_, person) = fixture.sign_in(Role::FrontDesk).await?;
    fixture.sign_in_browser().await?;
    let hash = fixture.newest("session", person).await?;
    // A row with the attacker's own token, and the other columns of a valid one.
    let own = "A".repeat(43);
    let raw = [0_u8; 32];
    for forged in [
        raw.to_vec(),
        own.as_bytes().get(..32).context("32 bytes")?.to_vec(),
    ] {
        let sql = "INSERT INTO sessions SELECT ?, organization, ?, kind, person, role, method, authenticated_at, \
                   expires_at, seen_at, ended_at, mac_key, mac, scopes FROM sessions WHERE token_hash = ?";
        let id = fhir::random_id();
        fixture
            .change(sql, &[&forged, id.as_bytes(), &hash])
            .await?;
        let response = page(&anonymous, &format!("__Host-session={own}")).await?;
        fixture
            .change("DELETE FROM sessions WHERE token_hash = ?", &[&forged])
            .await?;
        assert_eq!(response.status, 401);
    }
    // A valid row under another hash: the cookie of that hash belongs to another session.
    let own = fixture.sign_in_browser().await?;
    let mine = fixture.newest("session", person).await?;
    assert_ne!(mine, hash);
    fixture
        .change("DELETE FROM sessions WHERE token_hash = ?", &[&mine])
        .await?;
    fixture
        .change(
            "UPDATE sessions SET token_hash = ? WHERE token_hash = ?",
            &[&mine, &hash],
        )
        .await?;
    let response = page(&anonymous, &own).await?;
    fixture
        .change("DELETE FROM sessions WHERE token_hash = ?", &[&mine])
        .await?;
    fixture
        .expect_unauthenticated(&response, "sessions", "a row under another hash")
        .await
}
