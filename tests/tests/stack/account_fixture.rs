//! The fixture of tests that tamper with rows of accounts and sessions: the accounts of Lakeside
//! that are reserved for them, one test at a time. The tests restore what they change.

use anyhow::Context;
use serde_json::json;
use tests::Attacker;
use tests::Client;
use tests::Clinic;
use tests::Role;
use tests::RunningStack;
use tests::TestResponse;
use tokio::sync::Mutex;
use tokio::sync::MutexGuard;
use uuid::Uuid;

use super::attack::CACHE_EXPIRY;

/// Held by the test that uses the accounts.
static ACCOUNTS: Mutex<()> = Mutex::const_new(());

/// A running stack, an attacker with write access to every table, and the reserved accounts.
pub(crate) struct AccountFixture {
    pub(crate) running: RunningStack,
    pub(crate) attacker: Attacker,
    pub(crate) organization: Uuid,
    _alone: MutexGuard<'static, ()>,
}

impl AccountFixture {
    pub(crate) async fn new() -> anyhow::Result<Self> {
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
    pub(crate) async fn sign_in(&self, role: Role) -> anyhow::Result<(Client, Uuid)> {
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
    pub(crate) async fn newest(&mut self, kind: &str, person: Uuid) -> anyhow::Result<Vec<u8>> {
        let sql = "SELECT token_hash FROM sessions WHERE kind = ? AND person = ? \
                   ORDER BY authenticated_at DESC LIMIT 1";
        let key: [&[u8]; 2] = [kind.as_bytes(), person.as_bytes()];
        self.attacker.bytes(sql, &key).await
    }

    /// Requires 401, and that the row was reported.
    pub(crate) async fn expect_unauthenticated(
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
    pub(crate) async fn sign_in_browser(&self) -> anyhow::Result<String> {
        let account = self.running.account(Role::FrontDesk, Clinic::Lakeside)?;
        let code = self.running.code(account).await?;
        let fields = [
            ("email", account.email.as_str()),
            ("password", &account.password),
            ("code", &code),
        ];
        let anonymous = self.running.anonymous();
        let response = anonymous
            .form("/sign-in", &fields)
            .await?
            .expect_status(303)?;
        let cookie = response.header("set-cookie").split(';').next();
        Ok(cookie.unwrap_or_default().to_owned())
    }

    pub(crate) async fn change(&mut self, sql: &str, values: &[&[u8]]) -> anyhow::Result<()> {
        let touched = self.attacker.execute(sql, values).await?;
        anyhow::ensure!(touched == 1, "{touched} rows were changed: {sql}");
        Ok(())
    }

    /// Makes a change, and waits until no instance caches the row that it had verified before.
    pub(crate) async fn change_and_await_expiry(
        &mut self,
        sql: &str,
        values: &[&[u8]],
    ) -> anyhow::Result<()> {
        self.change(sql, values).await?;
        tokio::time::sleep(CACHE_EXPIRY).await;
        Ok(())
    }

    /// Tries to sign in with the password of a role.
    pub(crate) async fn attempt(
        &self,
        role: Role,
        password_of: Role,
    ) -> anyhow::Result<TestResponse> {
        let account = self.running.account(role, Clinic::Lakeside)?;
        let password = &self
            .running
            .account(password_of, Clinic::Lakeside)?
            .password;
        let code = self.running.code(account).await?;
        let body = json!({"email": account.email, "password": password, "code": code}).to_string();
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

/// The columns of a row of credentials beside its key.
const CREDENTIAL_COLUMNS: [&str; 6] = [
    "password",
    "mac",
    "changed_at",
    "row_id",
    "mac_key",
    "second_factor_at",
];

impl AccountFixture {
    pub(crate) async fn credentials(&mut self, person: Uuid) -> anyhow::Result<Vec<Vec<u8>>> {
        let mut values = Vec::new();
        for column in CREDENTIAL_COLUMNS {
            // A time as text, so that it can be restored.
            let is_time = column.ends_with("_at");
            let column = if is_time {
                format!("CAST({column} AS CHAR)")
            } else {
                column.to_owned()
            };
            let sql = format!("SELECT {column} FROM credentials WHERE person = ?");
            values.push(self.attacker.bytes(&sql, &[person.as_bytes()]).await?);
        }
        Ok(values)
    }

    /// Overwrites the first columns of [`CREDENTIAL_COLUMNS`], one for each value.
    pub(crate) async fn overwrite(
        &mut self,
        person: Uuid,
        values: &[Vec<u8>],
    ) -> anyhow::Result<()> {
        for (column, value) in CREDENTIAL_COLUMNS.iter().zip(values) {
            let sql = format!("UPDATE credentials SET {column} = ? WHERE person = ?");
            self.attacker
                .execute(&sql, &[value, person.as_bytes()])
                .await?;
        }
        Ok(())
    }
}
