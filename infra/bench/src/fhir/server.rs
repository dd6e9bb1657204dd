//! A FHIR server that is measured.

use std::time::Duration;

use anyhow::Context;

use super::connection::FhirConnection;
use super::connection::Transport;
use crate::cpu;
use crate::place::Place;
use https_client::HttpsClient;
use https_client::issue_token;
use load::PlainConnection;

/// A running server, and the processes whose CPU time counts.
pub(super) struct Server {
    pub(super) title: &'static str,
    /// The FHIR server's process, and the database's.
    pub(super) counted: [i32; 2],
    /// The process in front of them, if there is one.
    pub(super) edge: Option<i32>,
    pub(super) access: Access,
}

/// How connections are opened.
pub(super) enum Access {
    /// To web, as a clinician.
    Protected { client: HttpsClient, token: String },
    /// To a port, without TLS and without authentication.
    Plain { port: u16 },
}

/// CPU time of a server.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cpu {
    /// Of the FHIR server.
    pub(super) server: Duration,
    /// Of the database.
    pub(super) database: Duration,
    /// Of the process in front of them.
    pub(super) edge: Duration,
}

impl Server {
    /// The stack.
    pub(super) async fn of_stack(place: &Place) -> anyhow::Result<Self> {
        let status = place.stack.status()?;
        let client = status.client()?;
        let accounts = place.accounts()?;
        let clinician = accounts.person("clinician", None)?;
        let token = issue_token(&client, &clinician.credentials()).await?;
        let app = status.app.pid.context("app does not run")?;
        let database = status.database.pid.context("the database does not run")?;
        Ok(Self {
            title: "stack",
            counted: [app, database],
            edge: status.web.pid,
            access: Access::Protected { client, token },
        })
    }

    /// Opens a connection.
    pub(super) async fn connect(&self) -> anyhow::Result<FhirConnection> {
        Ok(match &self.access {
            Access::Protected { client, token } => FhirConnection {
                base: "/fhir",
                transport: Transport::Protected {
                    connection: client.connect().await?,
                    token: token.clone(),
                },
            },
            Access::Plain { port } => FhirConnection {
                base: "",
                transport: Transport::Plain(PlainConnection::open(*port).await?),
            },
        })
    }

    /// CPU time until now.
    pub(super) fn cpu(&self) -> anyhow::Result<Cpu> {
        let [server, database] = self.counted;
        Ok(Cpu {
            server: cpu::time_of(server)?,
            database: cpu::time_of(database)?,
            edge: self.edge.map_or(Ok(Duration::ZERO), cpu::time_of)?,
        })
    }
}

impl Cpu {
    /// What was used since an earlier moment.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            server: self.server.saturating_sub(earlier.server),
            database: self.database.saturating_sub(earlier.database),
            edge: self.edge.saturating_sub(earlier.edge),
        }
    }

    /// The sum of two spans.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            server: self.server + other.server,
            database: self.database + other.database,
            edge: self.edge + other.edge,
        }
    }

    /// Of server and database.
    pub(super) fn counted(self) -> Duration {
        self.server + self.database
    }
}
