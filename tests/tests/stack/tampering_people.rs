//! An attacker with write access to the database gains no access to the API. These tests use the
//! accounts of Lakeside that are reserved for them, one test at a time, and restore what they
//! change.

use anyhow::Context;
use bytes::Bytes;
use http::Request;
use http::header;
use serde_json::json;
use tests::Attacker;
use tests::Client;
use tests::Clinic;
use tests::Role;
use tests::RunningStack;
use tests::TestResponse;
use tests::fhir;
use tokio::sync::Mutex;
use tokio::sync::MutexGuard;
use uuid::Uuid;

use super::attack::CACHE_EXPIRY;

static ACCOUNTS: Mutex<()> = Mutex::const_new(());

/// The fixture of these tests.
struct AccountFixture {
    running: RunningStack,
    attacker: Attacker,
    organization: Uuid,
    _alone: MutexGuard<'static, ()>,
}

impl AccountFixture {
    async fn new() -> anyhow::Result<Self> {
        let alone = ACCOUNTS.lock().await;
        let running = RunningStack::shared()?;
        let mut attacker = running.attacker().await?;
        let organization = attacker.organization("Lakeside").await?;
        Ok(Self {
            running,
            attacker,
            organization,
            _alone: alone,
        })
    }

    /// A client with a new token, and the id of its account.
    async fn sign_in(&self, role: Role) -> anyhow::Result<(Client, Uuid)> {
        let client = self
            .running
            .sign_in_with_new_token(role, Clinic::Lakeside)
            .await?;
        let me = client
            .get("/api/v1/session")
            .await?
            .expect_status(200)?
            .json()?;
        let id = me["person"]["id"].as_str().context("an id")?.parse()?;
        Ok((client, id))
    }

    /// The token hash of an account's newest session of a kind, `session` or `bearer`.
    async fn newest(&mut self, kind: &str, person: Uuid) -> anyhow::Result<Vec<u8>> {
        let sql = "SELECT token_hash FROM sessions WHERE kind = ? AND person = ? \
                   ORDER BY authenticated_at DESC LIMIT 1";
        let key: [&[u8]; 2] = [kind.as_bytes(), person.as_bytes()];
        self.attacker.bytes(sql, &key).await
    }

    /// Requires 401, and that the row was reported.
    async fn expect_unauthenticated(
        &self,
        response: &TestResponse,
        table: &str,
        what: &str,
    ) -> anyhow::Result<()> {
        anyhow::ensure!(
            response.status == 401,
            "{what}: {} {}",
            response.status,
            response.text()
        );
        self.running
            .expect_reported(response, &[table])
            .await
            .with_context(|| what.to_owned())
    }

    /// Signs in the front desk as a browser does, and returns the cookie.
    async fn sign_in_browser(&self) -> anyhow::Result<String> {
        let account = self.running.account(Role::FrontDesk, Clinic::Lakeside)?;
        let fields = [
            ("email", account.email.as_str()),
            ("password", &account.password),
        ];
        let anonymous = self.running.anonymous();
        let response = anonymous
            .form("/sign-in", &fields)
            .await?
            .expect_status(303)?;
        let cookie = response.header("set-cookie").split(';').next();
        Ok(cookie.unwrap_or_default().to_owned())
    }

    async fn change(&mut self, sql: &str, values: &[&[u8]]) -> anyhow::Result<()> {
        let touched = self.attacker.execute(sql, values).await?;
        anyhow::ensure!(touched == 1, "{touched} rows were changed: {sql}");
        Ok(())
    }

    /// Makes a change, and waits until no instance caches the row that it had verified before.
    async fn change_and_await_expiry(&mut self, sql: &str, values: &[&[u8]]) -> anyhow::Result<()> {
        self.change(sql, values).await?;
        tokio::time::sleep(CACHE_EXPIRY).await;
        Ok(())
    }

    /// Tries to sign in with the password of a role.
    async fn attempt(&self, role: Role, password_of: Role) -> anyhow::Result<TestResponse> {
        let email = &self.running.account(role, Clinic::Lakeside)?.email;
        let password = &self
            .running
            .account(password_of, Clinic::Lakeside)?
            .password;
        let body = json!({"email": email, "password": password}).to_string();
        let anonymous = self.running.anonymous();
        anonymous
            .request(
                http::Method::POST,
                "/api/v1/tokens",
                "application/json",
                body,
            )
            .await
    }
}

#[tokio::test]
async fn a_role_that_is_raised_in_the_database_grants_no_access() -> anyhow::Result<()> {
    let mut fixture = AccountFixture::new().await?;
    let (desk, person) = fixture.sign_in(Role::FrontDesk).await?;
    let (organization, person) = (fixture.organization, person);
    let sql = "UPDATE people SET role = ? WHERE organization = ? AND id = ?";
    let key = |role: &'static str| {
        [
            role.as_bytes().to_vec(),
            organization.as_bytes().to_vec(),
            person.as_bytes().to_vec(),
        ]
    };
    let raised = key("clinician");
    let before = key("front_desk");
    let raised: Vec<&[u8]> = raised.iter().map(Vec::as_slice).collect();
    let before: Vec<&[u8]> = before.iter().map(Vec::as_slice).collect();
    fixture.change_and_await_expiry(sql, &raised).await?;
    let with_token = desk.get("/api/v1/session").await?;
    let search = desk.search(&[("family", "Testperson")]).await?;
    let fresh = fixture.attempt(Role::FrontDesk, Role::FrontDesk).await?;
    fixture.change(sql, &before).await?;
    for response in [with_token, search, fresh] {
        fixture
            .expect_unauthenticated(&response, "people", "a raised role")
            .await?;
    }
    desk.get("/api/v1/session").await?.expect_status(200)?;
    Ok(())
}

#[tokio::test]
async fn every_other_column_of_an_account_is_bound_as_well() -> anyhow::Result<()> {
    let mut fixture = AccountFixture::new().await?;
    let (desk, person) = fixture.sign_in(Role::FrontDesk).await?;
    for (change, back) in [
        ("active = 1 - active", "active = 1 - active"),
        (
            "created_at = created_at + INTERVAL 1 DAY",
            "created_at = created_at - INTERVAL 1 DAY",
        ),
        (
            "email_token = REVERSE(email_token)",
            "email_token = REVERSE(email_token)",
        ),
        ("name = REVERSE(name)", "name = REVERSE(name)"),
        ("row_id = REVERSE(row_id)", "row_id = REVERSE(row_id)"),
        ("mac_key = REVERSE(mac_key)", "mac_key = REVERSE(mac_key)"),
        ("mac = REVERSE(mac)", "mac = REVERSE(mac)"),
    ] {
        let sql = |change| format!("UPDATE people SET {change} WHERE id = ?");
        fixture
            .change_and_await_expiry(&sql(change), &[person.as_bytes()])
            .await?;
        let response = desk.get("/api/v1/session").await?;
        fixture.change(&sql(back), &[person.as_bytes()]).await?;
        fixture
            .expect_unauthenticated(&response, "people", change)
            .await?;
    }
    desk.get("/api/v1/session").await?.expect_status(200)?;
    Ok(())
}

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
            "method = 'token'".to_owned(),
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
                   expires_at, seen_at, ended_at, mac_key, mac FROM sessions WHERE token_hash = ?";
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

/// The columns of a row of credentials beside its key.
const CREDENTIALS: [&str; 5] = ["password", "mac", "changed_at", "row_id", "mac_key"];

impl AccountFixture {
    async fn credentials(&mut self, person: Uuid) -> anyhow::Result<Vec<Vec<u8>>> {
        let mut values = Vec::new();
        for column in CREDENTIALS {
            // A time as text, so that it can be restored.
            let column = column.replace("changed_at", "CAST(changed_at AS CHAR)");
            let sql = format!("SELECT {column} FROM credentials WHERE person = ?");
            values.push(self.attacker.bytes(&sql, &[person.as_bytes()]).await?);
        }
        Ok(values)
    }

    /// Overwrites the first columns of [`CREDENTIALS`], one for each value.
    async fn overwrite(&mut self, person: Uuid, values: &[Vec<u8>]) -> anyhow::Result<()> {
        for (column, value) in CREDENTIALS.iter().zip(values) {
            let sql = format!("UPDATE credentials SET {column} = ? WHERE person = ?");
            self.attacker
                .execute(&sql, &[value, person.as_bytes()])
                .await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_password_hash_that_is_swapped_between_accounts_opens_neither() -> anyhow::Result<()> {
    let mut fixture = AccountFixture::new().await?;
    let (_, desk) = fixture.sign_in(Role::FrontDesk).await?;
    let (_, admin) = fixture.sign_in(Role::SecurityAdmin).await?;
    let own = fixture.credentials(admin).await?;
    let stolen = fixture.credentials(desk).await?;
    // Row ids are unique, so the copied row gives up its own.
    let mut replaced = stolen.clone();
    replaced[3] = fhir::random_id().as_bytes().to_vec();
    fixture.overwrite(desk, &replaced).await?;
    fixture.overwrite(admin, &stolen[..1]).await?;
    let part = fixture
        .attempt(Role::SecurityAdmin, Role::FrontDesk)
        .await?;
    let neither = fixture
        .attempt(Role::SecurityAdmin, Role::SecurityAdmin)
        .await?;
    fixture.overwrite(admin, &stolen).await?;
    let whole = fixture
        .attempt(Role::SecurityAdmin, Role::FrontDesk)
        .await?;
    let replaced = fixture.attempt(Role::FrontDesk, Role::FrontDesk).await?;
    fixture.overwrite(admin, &own).await?;
    fixture.overwrite(desk, &stolen).await?;
    for response in [part, neither, whole, replaced] {
        fixture
            .expect_unauthenticated(&response, "credentials", "a swapped password")
            .await?;
    }
    for role in [Role::SecurityAdmin, Role::FrontDesk] {
        fixture.attempt(role, role).await?.expect_status(201)?;
    }
    Ok(())
}
