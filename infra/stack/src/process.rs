//! A child process: its environment and log file, its identity by pid *and* start time (the kernel reuses pids), and
//! its end by SIGTERM, then SIGKILL.

use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::bail;
use nix::sys::signal;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde::Deserialize;
use serde::Serialize;

/// A process that cannot be confused with a later one of the same pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// Process id.
    pub pid: i32,
    /// Start time in clock ticks since the machine started, as `/proc/<pid>/stat` has it.
    started: u64,
}

impl ProcessId {
    /// The running process of a pid.
    #[must_use]
    pub fn of(pid: i32) -> Option<Self> {
        let (state, started) = stat(pid)?;
        (state != 'Z').then_some(Self { pid, started })
    }

    /// This process.
    ///
    /// # Errors
    /// When `/proc` is not mounted.
    pub fn own() -> anyhow::Result<Self> {
        Self::of(Pid::this().as_raw()).context("/proc does not show this process: is it mounted?")
    }

    /// Whether it still runs. A zombie does not.
    #[must_use]
    pub fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Sends a signal, unless the process has ended.
    ///
    /// # Errors
    /// When this user may not signal it.
    pub fn signal(self, signal: Signal) -> anyhow::Result<()> {
        if !self.is_alive() {
            return Ok(());
        }
        match signal::kill(Pid::from_raw(self.pid), signal) {
            Ok(()) | Err(nix::errno::Errno::ESRCH) => Ok(()),
            Err(error) => Err(error).with_context(|| {
                format!(
                    "process {} cannot be sent {signal}: is it another user's?",
                    self.pid
                )
            }),
        }
    }

    /// Waits until it has ended; false when it still runs after `patience`.
    pub async fn gone_within(self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while self.is_alive() {
            if Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    }

    /// Resident memory in bytes.
    #[must_use]
    pub fn resident_bytes(self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
        Some(kibibytes * 1024)
    }
}

/// State letter and start time of a process.
fn stat(pid: i32) -> Option<(char, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name may hold spaces and parentheses: what follows starts after the last one.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let started = fields.nth(18)?.parse().ok()?;
    Some((state, started))
}

/// Variables of a process and their values.
pub type Variables = Vec<(String, OsString)>;

/// How to start a process.
#[derive(Clone, Debug)]
pub struct Program {
    /// What it is called in messages, in the state and in the name of its log.
    pub name: &'static str,
    /// The executable file.
    pub path: PathBuf,
    /// Arguments.
    pub arguments: Vec<OsString>,
    /// Variables, the whole environment but for `PATH` and the like; the last one of a name counts.
    pub environment: Variables,
    /// The file that standard output and standard error go to.
    pub log: PathBuf,
}

impl Program {
    /// The command with its environment, which inherits only a few variables of this process.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).env_clear();
        for name in [
            "HOME",
            "LANG",
            "LOG",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "PATH",
            "RUST_BACKTRACE",
        ] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs it to its end and returns its standard output, which is written to its log too, with standard error.
    ///
    /// # Errors
    /// When it cannot be started, or fails: the end of its log.
    pub async fn run(&self) -> anyhow::Result<String> {
        let mut command = tokio::process::Command::from(self.command());
        let output = command
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .with_context(|| format!("{} cannot be started", self.path.display()))?;
        let mut log = open_log(&self.log)?;
        log.write_all(&output.stdout)
            .and_then(|()| log.write_all(&output.stderr))
            .with_context(|| format!("the log {} cannot be written", self.log.display()))?;
        if !output.status.success() {
            let said = last_lines(&self.log, 15);
            bail!(
                "`{}` ended with {}:\n{said}",
                self.path.display(),
                output.status
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Starts it in a process group of its own, so that Ctrl-C reaches only the supervisor, which stops the processes
    /// in order.
    ///
    /// # Errors
    /// When it cannot be started, or its log cannot be opened.
    pub fn start(&self) -> anyhow::Result<Process> {
        let log = open_log(&self.log)?;
        let errors = log.try_clone().context("the log cannot be opened twice")?;
        let child = self
            .command()
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .with_context(|| format!("{} cannot be started", self.path.display()))?;
        let pid = i32::try_from(child.id()).context("the pid is out of range")?;
        // A child that has already ended stays a zombie until it is waited for, so /proc shows it.
        let (_, started) = stat(pid).context("/proc does not show the new process")?;
        Ok(Process {
            name: self.name,
            id: ProcessId { pid, started },
            child: Some(child),
        })
    }
}

/// A process that was started here, or taken over from the command that started it.
#[derive(Debug)]
pub struct Process {
    /// [`Program::name`].
    pub name: &'static str,
    /// Process id and start time.
    pub id: ProcessId,
    child: Option<Child>,
}

impl Process {
    /// A process that another command started.
    #[must_use]
    pub fn adopt(name: &'static str, id: ProcessId) -> Self {
        Self {
            name,
            id,
            child: None,
        }
    }

    /// How it ended, if it has.
    pub fn ending(&mut self) -> Option<String> {
        if let Some(child) = &mut self.child
            && let Ok(Some(status)) = child.try_wait()
        {
            return Some(status.to_string());
        }
        (!self.id.is_alive()).then(|| "gone".to_owned())
    }

    /// Sends SIGTERM and waits; sends SIGKILL after `patience`.
    ///
    /// # Errors
    /// When it cannot be signalled, or does not end.
    pub async fn stop(&mut self, patience: Duration) -> anyhow::Result<()> {
        self.id.signal(Signal::SIGCONT)?;
        self.id.signal(Signal::SIGTERM)?;
        if !self.id.gone_within(patience).await {
            self.kill().await?;
        }
        self.ending();
        Ok(())
    }

    /// Kills it and waits until it has ended.
    ///
    /// # Errors
    /// When it cannot be signalled, or does not end.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.id.signal(Signal::SIGKILL)?;
        if !self.id.gone_within(Duration::from_secs(10)).await {
            bail!(
                "{} (process {}) does not end even when killed",
                self.name,
                self.id.pid
            );
        }
        self.ending();
        Ok(())
    }
}

/// Opens a log of mode 0600 to append to it.
pub(crate) fn open_log(path: &Path) -> anyhow::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("the log {} cannot be opened", path.display()))
}

/// The last lines of a log, for a message.
#[must_use]
pub fn last_lines(path: &Path, count: usize) -> String {
    let text = fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let text = text.unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let skipped = lines.len().saturating_sub(count);
    let mut shown = String::new();
    for line in lines.into_iter().skip(skipped) {
        shown.push_str("    ");
        shown.push_str(line);
        shown.push('\n');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeping(folder: &Path) -> Program {
        Program {
            name: "sleep",
            path: "/bin/sleep".into(),
            arguments: vec!["60".into()],
            environment: Vec::new(),
            log: folder.join("sleep.log"),
        }
    }

    #[tokio::test]
    async fn a_process_is_known_by_its_start_time_as_well() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = sleeping(folder.path()).start().unwrap();
        let other = ProcessId {
            started: process.id.started + 1,
            ..process.id
        };
        assert!(process.id.is_alive());
        assert!(!other.is_alive());
        other.signal(Signal::SIGKILL).unwrap();
        assert!(process.ending().is_none());
        process.stop(Duration::from_secs(5)).await.unwrap();
        assert!(!process.id.is_alive());
    }

    #[tokio::test]
    async fn a_process_that_ended_says_how() {
        let folder = tempfile::tempdir().unwrap();
        let program = Program {
            arguments: vec!["nonsense".into()],
            ..sleeping(folder.path())
        };
        let mut process = program.start().unwrap();
        assert!(process.id.gone_within(Duration::from_secs(5)).await);
        assert!(process.ending().unwrap().contains("exit status: 1"));
        assert!(last_lines(&program.log, 3).contains("nonsense"));
    }
}
