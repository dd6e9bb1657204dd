//! A web process with its own environment.

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

/// Placeholder for the port in the public origin: the port is known only at the start.
pub(super) const PORT: &str = ":{port}";

/// The process; killed when dropped.
#[derive(Debug)]
pub struct Web {
    child: Child,
    log: PathBuf,
    /// The HTTPS port on the loopback interface.
    pub port: u16,
    /// The port of plain HTTP, which redirects.
    pub redirect_port: u16,
}

impl Web {
    /// Starts web on free ports, and appends its output to `log`.
    pub(super) fn start(variables: &[(String, OsString)], log: &Path) -> anyhow::Result<Self> {
        let [port, redirect_port] = free_ports()?;
        let output = File::options().create(true).append(true).open(log)?;
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
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        Ok(Self {
            child,
            log: log.to_path_buf(),
            port,
            redirect_port,
        })
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The exit status, if the process has ended.
    ///
    /// # Errors
    /// When the kernel does not report it.
    pub fn exit_status(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Sends SIGTERM, as a service manager does.
    ///
    /// # Errors
    /// When `kill` is not installed.
    pub fn terminate(&self) -> anyhow::Result<()> {
        let pid = self.pid().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        Ok(())
    }

    /// The log so far.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn log(&self) -> anyhow::Result<String> {
        let bytes = fs::read(&self.log).context("web's log cannot be read")?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The resident memory, in bytes.
    ///
    /// # Errors
    /// When the process does not run.
    pub fn resident_bytes(&self) -> anyhow::Result<u64> {
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

/// Different ports that were free at the time of the call.
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
