//! A web process with an environment of its own.

use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::net::Ipv4Addr;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;

use anyhow::Context;

use crate::program;

/// Stands for the port in the public origin: it is known when the process starts.
pub(super) const PORT: &str = ":{port}";

/// The process; killed when dropped.
#[derive(Debug)]
pub struct Web {
    child: Child,
    log: PathBuf,
    /// Where it serves HTTPS, on the loopback interface.
    pub port: u16,
    /// Where it sends plain HTTP on.
    pub redirect_port: u16,
}

impl Web {
    /// Starts it on ports that are free now; what it says is appended to a file.
    pub(super) fn start(variables: &[(String, OsString)], log: &Path) -> anyhow::Result<Self> {
        let [port, redirect_port] = free_ports()?;
        let said = File::options().create(true).append(true).open(log)?;
        let program = program("web")?;
        let child = Command::new(&program)
            .env_clear()
            .env("WEB_LISTEN", format!("127.0.0.1:{port}"))
            .env("WEB_REDIRECT_LISTEN", format!("127.0.0.1:{redirect_port}"))
            .envs(variables.iter().map(|(name, value)| match value.to_str() {
                Some(text) => (name, text.replace(PORT, &format!(":{port}")).into()),
                None => (name, value.clone()),
            }))
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        Ok(Self {
            child,
            log: log.to_path_buf(),
            port,
            redirect_port,
        })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Asks it to end, as a service manager does.
    ///
    /// # Errors
    /// When `kill` is not there.
    pub fn terminate(&self) -> anyhow::Result<()> {
        let pid = self.pid().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        Ok(())
    }

    /// What it has logged so far.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn log(&self) -> anyhow::Result<String> {
        let bytes = fs::read(&self.log).context("web's log cannot be read")?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Its resident memory, in bytes.
    ///
    /// # Errors
    /// When it does not run.
    pub fn resident(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().next());
        let kibibytes: u64 = kibibytes.context("web does not run any more")?.parse()?;
        Ok(kibibytes * 1024)
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Different ports that nobody listens on at this moment.
pub(super) fn free_ports<const N: usize>() -> anyhow::Result<[u16; N]> {
    let mut ports = [0; N];
    let mut held = Vec::new();
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}
