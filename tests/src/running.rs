//! A running stack, as whoever stands outside knows it.

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

use crate::client::Client;
use crate::intruder::Intruder;

/// A demo organization.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Clinic {
    /// Riverside Clinic: where tests work, unless they need the other.
    Riverside,
    /// Lakeside Health: the other organization. Its accounts `front_desk` and `security_admin` are for
    /// tests that tamper with accounts, one at a time.
    Lakeside,
}

impl Clinic {
    /// The first word of its name.
    #[must_use]
    pub fn word(self) -> &'static str {
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
    /// Looks after people and keys.
    SecurityAdmin,
    /// Reads the audit trail.
    PrivacyOfficer,
}

impl Role {
    /// Its name as the stack spells it.
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

/// A stack that runs, with a connection of this test's own to its front door.
#[derive(Debug)]
pub struct Running {
    /// What `cargo stack status --json` says.
    pub status: Status,
    door: Arc<HttpsClient>,
}

type Tokens = Mutex<HashMap<(PathBuf, Role, Clinic), String>>;

/// Tokens that tests of one process share: each costs a password hash.
static TOKENS: OnceLock<Tokens> = OnceLock::new();

impl Running {
    /// The stack that all tests of a run share, named by the variable `STACK_HOME`.
    ///
    /// # Errors
    /// When the variable is not set or no stack runs there; says what to do.
    pub fn shared() -> anyhow::Result<Self> {
        let home = env::var_os("STACK_HOME").filter(|home| !home.is_empty()).context(
            "STACK_HOME is not set: run `cargo stack test --only stack`, or start a stack with `cargo \
             stack up` and set STACK_HOME to its folder (its name is in `cargo stack status`)",
        )?;
        Self::at(Path::new(&home))
    }

    /// The stack that runs in a folder.
    ///
    /// # Errors
    /// When none does.
    pub fn at(home: &Path) -> anyhow::Result<Self> {
        Self::of(Status::of(&Home::at(home)?)?)
    }

    /// A stack by its status.
    ///
    /// # Errors
    /// When its address or CA cannot be read.
    pub fn of(status: Status) -> anyhow::Result<Self> {
        let door = Arc::new(status.client()?);
        Ok(Self { status, door })
    }

    /// The same stack, as a client with another address of the loopback interface sees it.
    ///
    /// # Errors
    /// When its address or CA cannot be read.
    pub fn seen_from(&self, source: Ipv4Addr) -> anyhow::Result<Self> {
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
                account.role == role.name() && account.organization.starts_with(clinic.word())
            })
            .with_context(|| format!("no demo account: {role} of {clinic:?}"))
    }

    /// A client that nobody is signed in at.
    #[must_use]
    pub fn nobody(&self) -> Client {
        Client::new(Arc::clone(&self.door), None)
    }

    /// A client with a token that other tests may use as well.
    ///
    /// # Errors
    /// When the stack issues none.
    pub async fn sign_in(&self, role: Role, clinic: Clinic) -> anyhow::Result<Client> {
        let mut tokens = TOKENS.get_or_init(Tokens::default).lock().await;
        let key = (self.status.home.clone(), role, clinic);
        if let Some(token) = tokens.get(&key) {
            return Ok(self.nobody().with_token(token));
        }
        let client = self.sign_in_afresh(role, clinic).await?;
        tokens.insert(key, client.token().to_owned());
        Ok(client)
    }

    /// A client with a token of its own.
    ///
    /// # Errors
    /// When the stack issues none.
    pub async fn sign_in_afresh(&self, role: Role, clinic: Clinic) -> anyhow::Result<Client> {
        let account = self.account(role, clinic)?;
        let body = json!({"email": account.email, "password": account.password});
        let issued = self
            .nobody()
            .request(
                http::Method::POST,
                "/api/v1/tokens",
                "application/json",
                body.to_string(),
            )
            .await?
            .expecting(201)?
            .json()?;
        let token = issued["token"].as_str().context("a token is text")?;
        Ok(self.nobody().with_token(token))
    }

    /// The clinician of a clinic: who most tests are.
    ///
    /// # Errors
    /// When the stack issues no token.
    pub async fn clinician(&self, clinic: Clinic) -> anyhow::Result<Client> {
        self.sign_in(Role::Clinician, clinic).await
    }

    /// Someone who may write every row of the database.
    ///
    /// # Errors
    /// When the server lets nobody in.
    pub async fn intruder(&self) -> anyhow::Result<Intruder> {
        Intruder::connect(&self.status, "migrate").await
    }

    /// What the tiers have logged so far.
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
