//! Accounts that a test provisions, signs in, and gives a second factor.

use anyhow::Context as _;
use https_client::TotpKey;
use https_client::present_step;
use serde_json::Value;
use serde_json::json;
use stack::Account;
use tests::Client;
use tests::Clinic;
use tests::Role;
use tests::RunningStack;
use tests::TestResponse;

/// Requests a token, with a code if it is not empty.
pub(crate) async fn sign_in(
    running: &RunningStack,
    account: &Account,
    code: &str,
) -> anyhow::Result<TestResponse> {
    let mut body = json!({"email": account.email, "password": account.password});
    if !code.is_empty() {
        body["code"] = code.into();
    }
    let anonymous = running.anonymous();
    anonymous.post_json("/api/v1/tokens", &body).await
}

/// A client with the token of a response.
pub(crate) fn with_token(running: &RunningStack, response: TestResponse) -> anyhow::Result<Client> {
    let issued = response.expect_status(201)?.json()?;
    let token = issued["token"].as_str().context("a token is text")?;
    Ok(running.anonymous().with_token(token))
}

/// The id of the person of a client.
pub(crate) async fn person_of(client: &Client) -> anyhow::Result<String> {
    let session = client.get("/api/v1/session").await?.expect_status(200)?;
    let id = session.json()?["person"]["id"].as_str().map(str::to_owned);
    id.context("an id")
}

/// Whether the session or token of a client is in force.
pub(crate) async fn is_signed_in(client: &Client) -> anyhow::Result<bool> {
    let response = client.get("/api/v1/session").await?;
    anyhow::ensure!(
        [200, 401].contains(&response.status.as_u16()),
        "{}",
        response.text()
    );
    Ok(response.status == 200)
}

/// An account that has set up an app through the API.
pub(crate) struct Enrolled {
    pub(crate) account: Account,
    pub(crate) key: TotpKey,
    pub(crate) recovery_codes: Vec<String>,
    /// A client with a token of the password alone, from before.
    pub(crate) single: Client,
}

impl Enrolled {
    pub(crate) async fn new(running: &RunningStack, role: Role) -> anyhow::Result<Self> {
        Self::of(running, running.provision(role, Clinic::Riverside)?).await
    }

    /// An account of an organization that may be new.
    pub(crate) async fn new_in(
        running: &RunningStack,
        role: Role,
        organization: &str,
    ) -> anyhow::Result<Self> {
        Self::of(running, running.provision_in(role, organization)?).await
    }

    async fn of(running: &RunningStack, account: Account) -> anyhow::Result<Self> {
        let single = with_token(running, sign_in(running, &account, "").await?)?;
        let new = single.post("/api/v1/account/authenticators");
        let new = new.await?.expect_status(201)?.json()?;
        let key = TotpKey::from_base32(new["key"].as_str().context("a key")?);
        let confirmed = confirm(&single, &new["id"], &key.code(present_step()?.0)?).await?;
        let confirmed = confirmed.expect_status(200)?.json()?;
        let recovery_codes = serde_json::from_value(confirmed["recovery_codes"].clone())?;
        Ok(Self {
            account,
            key,
            recovery_codes,
            single,
        })
    }

    /// A client with a token of two factors.
    pub(crate) async fn client(&mut self, running: &RunningStack) -> anyhow::Result<Client> {
        let code = self.recovery_codes.pop().context("a recovery code")?;
        with_token(running, sign_in(running, &self.account, &code).await?)
    }
}

pub(crate) async fn confirm(
    client: &Client,
    id: &Value,
    code: &str,
) -> anyhow::Result<TestResponse> {
    let id = id.as_str().context("an id")?;
    let path = format!("/api/v1/account/authenticators/{id}/confirmation");
    client.post_json(&path, &json!({"code": code})).await
}
