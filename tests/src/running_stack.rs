//! A running stack, as its clients see it.

use std::collections::HashMap;
use std::env;
use std::fmt;
use std::net::Ipv4Addr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::OnceLock;

use anyhow::Context;
use https_client::HttpsClient;
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
    /// Manages accounts and keys.
    SecurityAdmin,
    /// Reads the audit trail.
    PrivacyOfficer,
}

impl Role {
    /// The name of the role in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Clinician => "clinician",
            Self::FrontDesk => "front_desk",
            Self::SecurityAdmin => "security_admin",
            Self::PrivacyOfficer => "privacy_officer",
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

type Tokens = Mutex<HashMap<(PathBuf, Role, Clinic), String>>;

/// Tokens that tests of one process share, since each sign-in costs a password hash.
static TOKENS: OnceLock<Tokens> = OnceLock::new();

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

    /// A client with a token that other tests may also use.
    ///
    /// # Errors
    /// When the stack issues none.
    pub async fn sign_in(&self, role: Role, clinic: Clinic) -> anyhow::Result<Client> {
        let mut tokens = TOKENS.get_or_init(Tokens::default).lock().await;
        let key = (self.status.home.clone(), role, clinic);
        if let Some(token) = tokens.get(&key) {
            return Ok(self.anonymous().with_token(token));
        }
        let client = self.sign_in_with_new_token(role, clinic).await?;
        tokens.insert(key, client.token().to_owned());
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
        let account = self.account(role, clinic)?;
        let body = json!({"email": account.email, "password": account.password});
        let issued = self
            .anonymous()
            .request(
                http::Method::POST,
                "/api/v1/tokens",
                "application/json",
                body.to_string(),
            )
            .await?
            .expect_status(201)?
            .json()?;
        let token = issued["token"].as_str().context("a token is text")?;
        Ok(self.anonymous().with_token(token))
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
