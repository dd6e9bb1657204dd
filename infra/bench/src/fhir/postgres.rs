//! A `PostgreSQL` server of its own for the peer, on the loopback interface, with durable commits.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::bail;
use anyhow::ensure;
use nix::sys::signal::Signal;

use stack::process::Process;
use stack::process::Program;
use stack::process::last_lines;
use tools::packages::run_quietly;

/// Where Debian's packages put the programs, a folder for each version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// The account as which it runs when this program runs as root, which `PostgreSQL` refuses.
const ACCOUNT: &str = "postgres";
/// Upper bound of the time in which it starts.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A running server; terminated when dropped.
pub(super) struct Postgres {
    process: Process,
    port: u16,
}

impl Postgres {
    /// The folder of the programs of the latest installed version.
    pub(super) fn programs() -> Option<PathBuf> {
        let versions = fs::read_dir(DEBIAN).ok()?.flatten();
        let folders = versions.filter_map(|version| {
            let number: u32 = version.file_name().to_str()?.parse().ok()?;
            Some((number, version.path().join("bin")))
        });
        let installed = folders.filter(|(_, folder)| folder.join("postgres").is_file());
        installed.max().map(|(_, folder)| folder)
    }

    /// Makes an empty database below a folder and starts the server.
    pub(super) async fn start(programs: &Path, folder: &Path) -> anyhow::Result<Self> {
        let data = folder.join("postgres");
        fs::create_dir_all(&data).context("PostgreSQL's folder cannot be made")?;
        if nix::unistd::geteuid().is_root() {
            let owner = format!("{ACCOUNT}:");
            run_quietly(Command::new("chown").arg(owner).arg(&data))?;
        }
        let (path, arguments) = unprivileged(&programs.join("initdb"));
        run_quietly(
            Command::new(path)
                .args(arguments)
                .args([
                    "--username=hfs",
                    "--auth=trust",
                    "--encoding=UTF8",
                    "--pgdata",
                ])
                .arg(&data)
                .current_dir("/"),
        )
        .context("initdb")?;
        let [port] = stack::free_ports()?;
        let (path, mut arguments) = unprivileged(&programs.join("postgres"));
        arguments.extend(["-D".into(), data.into_os_string()]);
        let settings = [
            format!("port={port}"),
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
            // Those of a server of its own, as the stack's database has.
            "shared_buffers=2GB".to_owned(),
            "effective_cache_size=6GB".to_owned(),
            "max_wal_size=4GB".to_owned(),
            "fsync=on".to_owned(),
            "synchronous_commit=on".to_owned(),
        ];
        for setting in settings {
            arguments.extend(["-c".into(), setting.into()]);
        }
        let program = Program {
            name: "postgres",
            path,
            arguments,
            environment: Vec::new(),
            log: folder.join("postgres.log"),
        };
        let mut process = program.start()?;
        let deadline = Instant::now() + TIMEOUT;
        while tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .is_err()
        {
            if process.ending().is_some() || Instant::now() > deadline {
                bail!(
                    "PostgreSQL does not start:\n{}",
                    last_lines(&program.log, 15)
                );
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(Self { process, port })
    }

    /// The address of its database.
    pub(super) fn address(&self) -> String {
        format!("postgresql://hfs@127.0.0.1:{}/postgres", self.port)
    }

    /// Its first process, which starts one for each connection.
    pub(super) fn pid(&self) -> i32 {
        self.process.id.pid
    }

    /// Stops it.
    pub(super) async fn stop(&mut self, patience: Duration) -> anyhow::Result<()> {
        // SIGTERM would wait for clients.
        self.process.id.signal(Signal::SIGINT)?;
        ensure!(
            self.process.id.gone_within(patience).await,
            "PostgreSQL does not stop"
        );
        self.process.ending();
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // An error cannot be reported from here.
        let _ = self.process.id.signal(Signal::SIGINT);
    }
}

/// A program and its first arguments, as another account than root.
fn unprivileged(program: &Path) -> (PathBuf, Vec<OsString>) {
    if !nix::unistd::geteuid().is_root() {
        return (program.to_path_buf(), Vec::new());
    }
    let account = [
        format!("--reuid={ACCOUNT}"),
        format!("--regid={ACCOUNT}"),
        "--init-groups".to_owned(),
    ];
    let mut arguments: Vec<OsString> = account.map(OsString::from).to_vec();
    arguments.push(program.as_os_str().to_owned());
    (PathBuf::from("setpriv"), arguments)
}
