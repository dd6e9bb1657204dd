//! The database server of a local stack: installed when it is missing, with a data folder that is made once, and with
//! TLS required.

mod configuration;
mod init_file;
mod mariadb;
mod mysql;
mod standalone;

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use anyhow::bail;
use serde::Deserialize;
use serde::Serialize;

use crate::home::Home;
use crate::home::invalid_json;
use crate::home::write_private;
use crate::process::Program;
use crate::process::last_lines;
use crate::process::open_log;
use crate::settings::Database;
use progress::Progress;
use tools::create_private_folder;

pub(crate) use standalone::StandaloneServer;

/// The name of the one database.
pub const DATABASE: &str = "stack";

/// A database server as it is installed on this machine.
#[derive(Clone, Debug)]
pub struct Server {
    kind: Database,
    version: String,
    /// The program that starts it.
    program: PathBuf,
    /// The arguments that must come first.
    leading_arguments: Vec<OsString>,
    /// Lines of configuration that depend on where it is installed.
    path_options: Vec<String>,
}

/// The kind and version of the server that made a data folder, kept beside it.
#[derive(Debug, Serialize, Deserialize)]
struct DataOrigin {
    kind: Database,
    version: String,
}

/// Options of a data folder.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extras {
    /// Lets the account `migrate` make databases of its own, as the database tests do.
    pub test_databases: bool,
}

impl Server {
    /// Finds the server, installing it when it is missing.
    ///
    /// # Errors
    /// When it can neither be found nor installed; names the command that installs it.
    pub fn obtain(kind: Database, progress: Progress) -> anyhow::Result<Self> {
        match kind {
            Database::Mariadb => mariadb::obtain(progress),
            Database::Mysql => mysql::obtain(progress),
        }
    }

    /// Kind and version, for messages.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{} {}", self.kind.title(), self.version)
    }

    /// Makes the data folder if it is not there, and writes the configuration. `memory` is the size of the buffer pool,
    /// in MiB.
    ///
    /// # Errors
    /// When the folder belongs to another kind of server or a later version, or initialisation
    /// fails.
    pub fn prepare(
        &self,
        home: &Home,
        port: u16,
        memory: u16,
        extras: Extras,
    ) -> anyhow::Result<()> {
        let folder = home.mysql();
        for part in ["tmp", "files"] {
            create_private_folder(&folder.join(part))?;
        }
        let origin = folder.join("server.json");
        let made = self.check_origin(&origin)?;
        let configuration = configuration::render(self, home, port, memory);
        write_private(&folder.join("my.cnf"), configuration.as_bytes())?;
        write_private(
            &folder.join("init.sql"),
            init_file::render(self.kind, extras).as_bytes(),
        )?;
        if !made {
            self.initialise(home)?;
            let origin_now = DataOrigin {
                kind: self.kind,
                version: self.version.clone(),
            };
            let json = serde_json::to_vec_pretty(&origin_now).context("server.json")?;
            write_private(&origin, &json)?;
        }
        Ok(())
    }

    /// How to start it.
    #[must_use]
    pub(crate) fn program(&self, home: &Home) -> Program {
        let mut arguments = self.leading_arguments.clone();
        arguments.push(defaults_file(home));
        arguments.push(file_argument(
            "--init-file=",
            &home.mysql().join("init.sql"),
        ));
        Program {
            name: "mysql",
            path: self.program.clone(),
            arguments,
            environment: vec![("TMPDIR".to_owned(), home.mysql().join("tmp").into())],
            log: home.log("mysql"),
        }
    }

    fn initialise(&self, home: &Home) -> anyhow::Result<()> {
        let data = home.mysql().join("data");
        if data.exists() {
            // Without server.json the folder is what an interrupted first start left behind.
            fs::remove_dir_all(&data).context("a half-made data folder cannot be removed")?;
        }
        create_private_folder(&data)?;
        let command = match self.kind {
            Database::Mariadb => mariadb::initialisation(home),
            Database::Mysql => {
                let mut command = Command::new(&self.program);
                command
                    .args(&self.leading_arguments)
                    .arg(defaults_file(home))
                    .arg("--initialize-insecure");
                command
            }
        };
        run_logged(command, &home.log("mysql"))
            .with_context(|| format!("the data folder of {} cannot be made", self.title()))
    }

    /// Whether the data folder exists; an error when this server cannot use it.
    fn check_origin(&self, path: &Path) -> anyhow::Result<bool> {
        let Ok(bytes) = fs::read(path) else {
            return Ok(false);
        };
        let origin: DataOrigin =
            serde_json::from_slice(&bytes).with_context(|| invalid_json(path))?;
        if origin.kind != self.kind {
            bail!(
                "this stack's data was made by {}: start it with --database {}, or make a new stack with \
                 `cargo stack reset`",
                origin.kind.title(),
                origin.kind.word()
            );
        }
        if release(&origin.version) > release(&self.version) {
            bail!(
                "this stack's data was made by {} {}, and {} is older: install that version again, \
                 or make a new stack with `cargo stack reset`",
                origin.kind.title(),
                origin.version,
                self.version
            );
        }
        Ok(true)
    }
}

fn defaults_file(home: &Home) -> OsString {
    file_argument("--defaults-file=", &home.mysql().join("my.cnf"))
}

fn file_argument(option: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(option);
    argument.push(path);
    argument
}

/// Whether the server sends its greeting on a port, which it does once it has read its accounts.
pub(crate) fn greets(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_millis(500)) else {
        return false;
    };
    let mut header = [0_u8; 5];
    let greeted = stream
        .set_read_timeout(Some(Duration::from_secs(2)))
        .and_then(|()| stream.read_exact(&mut header));
    // Protocol 10 is what every server of the last twenty years greets with.
    greeted.is_ok() && header.last() == Some(&10)
}

/// Major and minor number, for comparing.
fn release(version: &str) -> (u32, u32) {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// The first `<number>.<number>…` after `Ver ` in the output of `--version`.
fn version_of(mut command: Command) -> Option<String> {
    let output = command.arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (_, rest) = text.split_once("Ver ")?;
    let version: String = rest
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    (!version.is_empty()).then_some(version)
}

/// Runs a command with its output in a log; an error shows the end of the log.
fn run_logged(mut command: Command, log: &Path) -> anyhow::Result<()> {
    let file = open_log(log)?;
    let errors = file.try_clone().context("the log cannot be opened twice")?;
    let status = command
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(errors)
        .status()
        .with_context(|| format!("{} cannot be started", command.get_program().display()))?;
    if !status.success() {
        bail!(
            "it failed ({status}). The end of {}:\n{}",
            log.display(),
            last_lines(log, 12)
        );
    }
    Ok(())
}
