//! A client of others for bulk exports: `smart-fetch` of the SMART team, unmodified. It is installed when a test first needs
//! it.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use anyhow::ensure;

use progress::Progress;
use tools::Python;

/// The client, from `PyPI`.
const SMART_FETCH: Python = Python {
    name: "smart-fetch",
    requirements: include_str!("../requirements/smart-fetch.txt"),
};

/// How the client authenticates.
#[derive(Clone, Debug)]
pub enum BulkAuthentication {
    /// By a token that it is given.
    Token(String),
    /// By SMART Backend Services: it finds the token endpoint by itself, and signs assertions.
    Smart {
        /// The client id.
        client_id: String,
        /// The key pair, as a JSON Web Key Set.
        private_keys: String,
    },
}

/// Exports the resources of a group into `folder`, as one file `Type.ndjson` or several for each type. `base` is the address
/// of the FHIR API, whose certificate the CA in the file `authority` signed; `types` are separated by commas.
///
/// # Errors
/// When the client cannot be installed, or fails; shows its output.
pub fn fetch_group(
    base: &str,
    authentication: &BulkAuthentication,
    authority: &Path,
    group: &str,
    types: &str,
    folder: &Path,
) -> anyhow::Result<()> {
    let environment = SMART_FETCH.obtain(Progress::hidden())?;
    // smart-fetch tells a key set by this extension.
    let secret_file = folder.with_extension("jwks");
    let mut command = Command::new(environment.join("bin/smart-fetch"));
    command
        .args(["bulk", "--no-compression", "--no-default-filters"])
        .args(["--fhir-url", base, "--group", group, "--type", types]);
    let secret = match authentication {
        BulkAuthentication::Token(token) => {
            command.arg("--bearer-token");
            token
        }
        BulkAuthentication::Smart {
            client_id,
            private_keys,
        } => {
            command.args(["--smart-client-id", client_id, "--smart-key"]);
            private_keys
        }
    };
    fs::write(&secret_file, secret).context("the credentials cannot be written")?;
    let output = command
        .arg(&secret_file)
        .arg(folder)
        .env("SSL_CERT_FILE", authority)
        .output()
        .context("smart-fetch cannot be started")?;
    let shown = [output.stdout, output.stderr].concat();
    let shown = String::from_utf8_lossy(&shown);
    ensure!(output.status.success(), "smart-fetch: {shown}");
    Ok(())
}
