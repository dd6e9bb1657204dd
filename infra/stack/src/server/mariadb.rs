//! `MariaDB` from the system's package manager.

use std::process::Command;

use anyhow::Context;
use anyhow::bail;

use crate::home::Home;
use crate::server::Server;
use crate::server::release;
use crate::server::version_of;
use crate::settings::Database;
use progress::Progress;
use tools::packages;

/// Debian's packages of the server without a service, and of its client.
const PACKAGES: [&str; 2] = ["mariadb-server-core", "mariadb-client-core"];

/// The oldest release that the migrations are tested on.
const OLDEST: (u32, u32) = (10, 11);

/// Finds the server or installs it.
pub(super) fn obtain(progress: Progress) -> anyhow::Result<Server> {
    if packages::find("mariadbd").is_none() || packages::find("mariadb-install-db").is_none() {
        packages::install(&PACKAGES, progress)?;
    }
    let program = packages::find("mariadbd").with_context(|| {
        format!(
            "{} are installed, but bring no mariadbd",
            PACKAGES.join(" ")
        )
    })?;
    let version = version_of(Command::new(&program))
        .with_context(|| format!("{} prints no version for --version", program.display()))?;
    if release(&version) < OLDEST {
        bail!(
            "{} is MariaDB {version}; {}.{} or later is needed. Install a later one, or use \
             `--database mysql`.",
            program.display(),
            OLDEST.0,
            OLDEST.1
        );
    }
    Ok(Server {
        kind: Database::Mariadb,
        version,
        program,
        leading_arguments: Vec::new(),
        path_options: Vec::new(),
    })
}

/// The command that makes a data folder.
pub(super) fn initialisation(home: &Home) -> Command {
    let program =
        packages::find("mariadb-install-db").unwrap_or_else(|| "mariadb-install-db".into());
    let mut command = Command::new(program);
    command
        .arg("--no-defaults")
        .arg(format!("--datadir={}", home.mysql().join("data").display()))
        .arg(format!("--tmpdir={}", home.mysql().join("tmp").display()))
        .args([
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
        ]);
    if nix::unistd::geteuid().is_root() {
        command.arg("--user=root");
    }
    command
}
