//! `cargo stack status`: addresses, processes and accounts of a stack.

use std::path::PathBuf;

use anyhow::Context;
use https_client::HttpsClient;
use https_client::TotpKey;
use serde::Deserialize;
use serde::Serialize;

use crate::accounts::Accounts;
use crate::accounts::MachineClient;
use crate::environment;
use crate::home::Home;
use crate::server::DATABASE;
use crate::settings::KeyService;
use crate::state::State;

/// Addresses, folders, processes and demo accounts of a stack.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// The stack's folder.
    pub home: PathBuf,
    /// Whether every process has been seen ready.
    pub ready: bool,
    /// The supervising process.
    pub supervisor: Option<i32>,
    /// The TLS edge.
    pub web: Web,
    /// The app tier.
    pub app: App,
    /// The database server.
    pub database: Database,
    /// The key service.
    pub key_service: KeyServiceStatus,
    /// The folder of certificates.
    pub certificates: PathBuf,
    /// The folder of logs.
    pub logs: PathBuf,
    /// The demo accounts.
    pub accounts: Vec<Account>,
    /// The demo machine clients.
    pub clients: Vec<ClientAccount>,
}

/// web's addresses and process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Web {
    /// The address for a browser.
    pub address: String,
    /// The address that redirects to it.
    pub redirect: String,
    /// Its process, if it runs.
    pub pid: Option<i32>,
}

/// app's address and process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct App {
    /// Host and port.
    pub address: String,
    /// Its process, if it runs.
    pub pid: Option<i32>,
}

/// The database's address, kind and process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Database {
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The one database.
    pub name: String,
    /// Which server it is: `mariadb` or `mysql`.
    pub kind: String,
    /// The server's process, if it runs.
    pub pid: Option<i32>,
    /// The server's folder; its data is in `data` below it.
    pub folder: PathBuf,
}

/// The key service, which holds the root keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyServiceStatus {
    /// `development` or `emulator`.
    pub provider: String,
    /// Its URL, if it is a service.
    pub endpoint: Option<String>,
    /// Its process, if it runs.
    pub pid: Option<i32>,
}

/// A demo account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Account {
    /// The organization's name.
    pub organization: String,
    /// The organization's id.
    pub organization_id: Option<String>,
    /// The person's name.
    pub name: String,
    /// E-mail address, for signing in.
    pub email: String,
    /// Password.
    pub password: String,
    /// The key of the authenticator app, if the account has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totp: Option<TotpKey>,
    /// Role.
    pub role: String,
}

/// A demo machine client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClientAccount {
    /// The organization's name.
    pub organization: String,
    /// The client.
    #[serde(flatten)]
    pub client: MachineClient,
}

impl Status {
    /// The status of the stack in a folder.
    ///
    /// # Errors
    /// When no stack runs there, or its files are not valid JSON of this version.
    pub fn of(home: &Home) -> anyhow::Result<Self> {
        let state = State::running(home)?;
        let pid = |name: &str| {
            state
                .processes
                .get(name)
                .filter(|process| process.is_alive())
                .map(|process| process.pid)
        };
        let ports = state.settings.options.ports;
        Ok(Self {
            home: home.root().to_path_buf(),
            ready: state.ready,
            supervisor: state.supervisor.is_alive().then_some(state.supervisor.pid),
            web: Web {
                address: environment::origin(&state.settings),
                redirect: format!("http://localhost:{}", ports.redirect),
                pid: pid("web"),
            },
            app: App {
                address: format!("127.0.0.1:{}", ports.app),
                pid: pid("app"),
            },
            database: Database {
                host: "127.0.0.1".to_owned(),
                port: ports.database,
                name: DATABASE.to_owned(),
                kind: state.settings.options.database.word().to_owned(),
                pid: pid("mysql"),
                folder: home.mysql(),
            },
            key_service: key_service(&state, pid("kms")),
            certificates: home.certificates(),
            logs: home.logs(),
            accounts: accounts(home)?,
            clients: clients(home)?,
        })
    }

    /// A client of web.
    ///
    /// # Errors
    /// When the address of web or the CA cannot be read.
    pub fn client(&self) -> anyhow::Result<HttpsClient> {
        let port = self.web.address.rsplit(':').next();
        let port = port.and_then(|port| port.parse().ok());
        let port = port.context("the address of the stack has no port")?;
        HttpsClient::new(port, &self.certificates.join("public/ca.pem"))
    }
}

fn key_service(state: &State, pid: Option<i32>) -> KeyServiceStatus {
    let (provider, endpoint) = match state.settings.options.key_service {
        KeyService::Development => ("development", None),
        KeyService::Emulator => (
            "emulator",
            Some(format!(
                "https://localhost:{}",
                state.settings.options.ports.kms
            )),
        ),
    };
    KeyServiceStatus {
        provider: provider.to_owned(),
        endpoint,
        pid,
    }
}

fn clients(home: &Home) -> anyhow::Result<Vec<ClientAccount>> {
    let organizations = Accounts::read(home)?.map(|accounts| accounts.organizations);
    let mut list = Vec::new();
    for organization in organizations.unwrap_or_default() {
        list.extend(
            organization
                .clients
                .into_iter()
                .map(|client| ClientAccount {
                    organization: organization.name.clone(),
                    client,
                }),
        );
    }
    Ok(list)
}

fn accounts(home: &Home) -> anyhow::Result<Vec<Account>> {
    let organizations = Accounts::read(home)?.map(|accounts| accounts.organizations);
    let mut list = Vec::new();
    for organization in organizations.unwrap_or_default() {
        for person in organization.people {
            list.push(Account {
                organization: organization.name.clone(),
                organization_id: organization.id.clone(),
                name: person.name,
                email: person.email,
                password: person.password,
                totp: person.totp,
                role: person.role,
            });
        }
    }
    Ok(list)
}
