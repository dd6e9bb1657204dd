//! The stack that is measured.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use https_client::HttpsClient;
use https_client::issue_token;
use import::expand;
use import::first_patient;
use progress::Progress;
use stack::Accounts;
use stack::Home;
use stack::Settings;
use stack::Stack;
use stack::Variable;
use tools::workspace;

/// Memory for the database's data in MiB: about what a database server of its own would give it.
const DATABASE_MEMORY: u16 = 6_144;

/// Per-client limits raised above what the load can send, since all load has one source address.
const RAISED: [&str; 3] = [
    "WEB_REQUESTS_PER_MINUTE=1000000000",
    "WEB_HANDSHAKES_PER_SECOND=1000000",
    "WEB_CONNECTIONS_PER_CLIENT=1000",
];

/// The limits that web has for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientLimits {
    /// Those of production.
    Production,
    /// [`RAISED`], so that a limit is not what is measured.
    Raised,
}

/// A stack of the benchmarks' own, and the files beside it.
pub(super) struct Place {
    /// The folder of the synthetic patients.
    pub(super) data: PathBuf,
    /// The folder of results, for a peer's files too.
    pub(super) output: PathBuf,
    /// The folder of the stack's programs.
    pub(super) binaries: PathBuf,
    /// The stack; nothing is in it but the demo accounts.
    pub(super) stack: Stack,
}

/// A clinician's read of one patient.
pub(super) struct PatientRead {
    pub(super) client: HttpsClient,
    pub(super) path: String,
    pub(super) token: String,
}

impl Place {
    /// Prepares an empty stack below `output`.
    pub(super) async fn prepare(
        output: &Path,
        binaries: &Path,
        limits: ClientLimits,
    ) -> anyhow::Result<Self> {
        let folder = output.join("stack");
        stack::stop_if_running(&Home::at(&folder)?).await?;
        let _ = fs::remove_dir_all(&folder);
        let mut settings = Settings::isolated(&folder)?;
        settings.options.release = true;
        settings.options.database_memory = DATABASE_MEMORY;
        if limits == ClientLimits::Raised {
            let variables = RAISED.iter().map(|variable| variable.parse::<Variable>());
            settings.options.variables = variables.collect::<Result<_, _>>()?;
        }
        let binaries = binaries.to_path_buf();
        Ok(Self {
            data: workspace::root()?.join("tests/data"),
            output: output.to_path_buf(),
            stack: Stack::prepare_with(settings, Progress::shown(), Some(binaries.clone())).await?,
            binaries,
        })
    }

    /// Imports a patient, and signs in a clinician who may read it.
    pub(super) async fn patient_read(&self) -> anyhow::Result<PatientRead> {
        let file = self.small_bundle()?;
        stack::importer(self.stack.home(), None, Progress::hidden())?
            .import(&file)
            .await?;
        let accounts = self.accounts()?;
        let client = self.stack.status()?.client()?;
        let clinician = accounts.person("clinician", None)?;
        let token = issue_token(&client, &clinician.credentials()).await?;
        let path = format!("/fhir/Patient/{}", first_patient(&file)?);
        Ok(PatientRead {
            client,
            path,
            token,
        })
    }

    /// The Bundle of one patient.
    pub(super) fn small_bundle(&self) -> anyhow::Result<PathBuf> {
        let files = expand(&[self.data.join("riverside")])?;
        files
            .into_iter()
            .next()
            .context("tests/data/riverside is empty")
    }

    /// The demo accounts.
    pub(super) fn accounts(&self) -> anyhow::Result<Accounts> {
        Accounts::read(self.stack.home())?.context("the stack has no accounts")
    }
}
