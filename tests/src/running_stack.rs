//! A running stack, as its clients see it.

use std::collections::HashMap;
use std::env;
use std::fmt;
use std::net::Ipv4Addr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use https_client::ClientCredentials;
use https_client::Credentials;
use https_client::HttpsClient;
use https_client::issue_token;
use serde_json::json;
use stack::Account;
use stack::Home;
use stack::Status;
use tokio::sync::Mutex;

use crate::attacker::Attacker;
use crate::client::Client;

/// An organization of the demo data.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Clinic {
    /// Riverside Clinic: the organization that tests use by default.
    Riverside,
    /// Lakeside Health: the other organization. Its accounts `front_desk` and `security_admin` are
    /// reserved for tests that tamper with accounts, one at a time.
    Lakeside,
}

impl Clinic {
    /// The first word of the organization's name.
    #[must_use]
    pub fn first_word(self) -> &'static str {
        match self {
            Self::Riverside => "Riverside",
            Self::Lakeside => "Lakeside",
        }
    }
}

/// A role of the access table.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Role {
    /// Treats patients.
    Clinician,
    /// Registers patients.
    FrontDesk,
    /// Bills for care; no demo account.
    Billing,
    /// Reads evidence of controls; no demo account.
    Auditor,
    /// Manages accounts and keys.
    SecurityAdmin,
    /// Reads the audit trail.
    PrivacyOfficer,
    /// A machine client: exports in bulk.
    Service,
}

impl Role {
    /// The name of the role in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Clinician => "clinician",
            Self::FrontDesk => "front_desk",
            Self::Billing => "billing",
            Self::Auditor => "auditor",
            Self::SecurityAdmin => "security_admin",
            Self::PrivacyOfficer => "privacy_officer",
            Self::Service => "service",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A running stack, with a connection to web for this test alone.
#[derive(Debug)]
pub struct RunningStack {
    /// The output of `cargo stack status --json`.
    pub status: Status,
    door: Arc<HttpsClient>,
}

/// Unused recovery codes of accounts, by the stack's folder and the e-mail address. A code of an authenticator app is accepted
/// once in half a minute, and a recovery code at any time.
type Codes = Mutex<HashMap<(PathBuf, String), Vec<String>>>;

/// The number of unused codes below which new ones are made, so that a test has some while it has broken its account.
const MIN_CODES: usize = 5;

static CODES: OnceLock<Codes> = OnceLock::new();

type Tokens = Mutex<HashMap<(PathBuf, Role, Clinic), (String, Instant)>>;

/// The time for which tests share a token: some requests need a second factor of the last ten minutes.
const TOKEN_AGE: Duration = Duration::from_mins(5);

/// Tokens that tests of one process share, since each sign-in costs a password hash.
static TOKENS: OnceLock<Tokens> = OnceLock::new();

/// New recovery codes of a client's account.
async fn renew_codes(client: &Client) -> anyhow::Result<Vec<String>> {
    let renewed = client.post("/api/v1/account/recovery-codes");
    let renewed = renewed.await?.expect_status(201)?.json()?;
    Ok(serde_json::from_value(renewed["recovery_codes"].clone())?)
}

impl RunningStack {
    /// The stack in the folder `STACK_HOME`, which all tests of a run share.
    ///
    /// # Errors
    /// When the variable is not set or no stack runs there; the message states what to do.
    pub fn shared() -> anyhow::Result<Self> {
        let home = env::var_os("STACK_HOME").filter(|home| !home.is_empty()).context(
            "STACK_HOME is not set: run `cargo stack test --only stack`, or start a stack with `cargo \
             stack up` and set STACK_HOME to its folder (its name is in `cargo stack status`)",
        )?;
        Self::at(Path::new(&home))
    }

    /// The stack that runs in this folder.
    ///
    /// # Errors
    /// When none runs there.
    pub fn at(home: &Path) -> anyhow::Result<Self> {
        Self::of(Status::of(&Home::at(home)?)?)
    }

    /// The stack with this status.
    ///
    /// # Errors
    /// When its address or CA cannot be read.
    pub fn of(status: Status) -> anyhow::Result<Self> {
        let door = Arc::new(status.client()?);
        Ok(Self { status, door })
    }

    /// The same stack for a client with another address of the loopback interface.
    ///
    /// # Errors
    /// When its address or CA cannot be read.
    pub fn from_address(&self, source: Ipv4Addr) -> anyhow::Result<Self> {
        let status = self.status.clone();
        let door = Arc::new(status.client()?.with_source(source));
        Ok(Self { status, door })
    }

    /// The demo account of a role.
    ///
    /// # Errors
    /// When there is none.
    pub fn account(&self, role: Role, clinic: Clinic) -> anyhow::Result<&Account> {
        self.status
            .accounts
            .iter()
            .find(|account| {
                account.role == role.name() && account.organization.starts_with(clinic.first_word())
            })
            .with_context(|| format!("no demo account: {role} of {clinic:?}"))
    }

    /// A client without a token.
    #[must_use]
    pub fn anonymous(&self) -> Client {
        Client::new(Arc::clone(&self.door), None)
    }

    /// The demo machine client with a name.
    ///
    /// # Errors
    /// When there is none.
    pub fn machine_client(&self, name: &str, clinic: Clinic) -> anyhow::Result<ClientCredentials> {
        let mut clients = self.status.clients.iter();
        let found = clients
            .find(|it| it.client.name == name && it.organization.starts_with(clinic.first_word()));
        let found = found.with_context(|| format!("no demo client: {name} of {clinic:?}"))?;
        found.client.credentials()
    }

    /// The demo machine client with a name, with a new token.
    ///
    /// # Errors
    /// When there is none, or the stack issues no token.
    pub async fn sign_in_as_client(&self, name: &str, clinic: Clinic) -> anyhow::Result<Client> {
        let credentials = self.machine_client(name, clinic)?;
        Client::of_machine(Arc::clone(&self.door), credentials).await
    }

    /// A client with a token that other tests may also use.
    ///
    /// # Errors
    /// When the stack issues none.
    pub async fn sign_in(&self, role: Role, clinic: Clinic) -> anyhow::Result<Client> {
        if role == Role::Service {
            return self.sign_in_with_new_token(role, clinic).await;
        }
        let mut tokens = TOKENS.get_or_init(Tokens::default).lock().await;
        let key = (self.status.home.clone(), role, clinic);
        let recent = tokens.get(&key).filter(|(_, at)| at.elapsed() < TOKEN_AGE);
        if let Some((token, _)) = recent {
            return Ok(self.anonymous().with_token(token));
        }
        let client = self.sign_in_with_new_token(role, clinic).await?;
        tokens.insert(key, (client.token().to_owned(), Instant::now()));
        Ok(client)
    }

    /// A client with a new token.
    ///
    /// # Errors
    /// When the stack issues none.
    pub async fn sign_in_with_new_token(
        &self,
        role: Role,
        clinic: Clinic,
    ) -> anyhow::Result<Client> {
        if role == Role::Service {
            return self.sign_in_as_client("Data warehouse", clinic).await;
        }
        self.issue_token(self.account(role, clinic)?).await
    }

    /// A code of an account's second factor, for a sign-in; empty for an account without one.
    ///
    /// # Errors
    /// When the stack refuses to sign the account in.
    pub async fn code(&self, account: &Account) -> anyhow::Result<String> {
        if account.totp.is_none() {
            return Ok(String::new());
        }
        let mut codes = CODES.get_or_init(Codes::default).lock().await;
        let codes = codes.entry(self.code_key(account)).or_default();
        if codes.is_empty() {
            self.sign_in_by_app(account, codes).await?;
        }
        codes.pop().context("an account has recovery codes")
    }

    async fn issue_token(&self, account: &Account) -> anyhow::Result<Client> {
        let mut codes = CODES.get_or_init(Codes::default).lock().await;
        let codes = codes.entry(self.code_key(account)).or_default();
        if account.totp.is_some() && codes.is_empty() {
            return self.sign_in_by_app(account, codes).await;
        }
        let mut body = json!({"email": account.email, "password": account.password});
        if let Some(code) = codes.pop() {
            body["code"] = code.into();
        }
        let anonymous = self.anonymous();
        let issued = anonymous.post_json("/api/v1/tokens", &body).await?;
        let issued = issued.expect_status(201)?.json()?;
        let token = issued["token"].as_str().context("a token is text")?;
        let client = anonymous.with_token(token);
        if account.totp.is_some() && codes.len() < MIN_CODES {
            *codes = renew_codes(&client).await?;
        }
        Ok(client)
    }

    fn code_key(&self, account: &Account) -> (PathBuf, String) {
        (self.status.home.clone(), account.email.clone())
    }

    /// A client with a new token for a code of the account's app, which may have to wait for an unused one; and new recovery
    /// codes, with which further sign-ins do not wait.
    async fn sign_in_by_app(
        &self,
        account: &Account,
        codes: &mut Vec<String>,
    ) -> anyhow::Result<Client> {
        let credentials = Credentials {
            email: account.email.clone(),
            password: account.password.clone(),
            totp: account.totp.clone(),
        };
        let token = issue_token(&self.door, &credentials).await?;
        let client = self.anonymous().with_token(&token);
        *codes = renew_codes(&client).await?;
        Ok(client)
    }

    /// The clinician of an organization.
    ///
    /// # Errors
    /// When the stack issues no token.
    pub async fn clinician(&self, clinic: Clinic) -> anyhow::Result<Client> {
        self.sign_in(Role::Clinician, clinic).await
    }

    /// An attacker with write access to every table.
    ///
    /// # Errors
    /// When the server refuses the connection.
    pub async fn attacker(&self) -> anyhow::Result<Attacker> {
        Attacker::connect(&self.status, "migrate").await
    }

    /// The logs of all tiers.
    ///
    /// # Errors
    /// When the logs cannot be read.
    pub fn logs(&self) -> anyhow::Result<String> {
        let mut all = String::new();
        for process in ["web", "app", "mysql"] {
            let path = self.status.logs.join(format!("{process}.log"));
            let bytes = std::fs::read(&path)
                .with_context(|| format!("{} cannot be read", path.display()))?;
            all.push_str(&String::from_utf8_lossy(&bytes));
        }
        Ok(all)
    }
}
