//! The Docker engine: one that runs, or one of our own, from Debian's package, with its data in the
//! cache folder.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use anyhow::anyhow;

use crate::process::Process;
use crate::process::ProcessId;
use crate::process::Program;
use crate::process::Variables;
use crate::process::last_lines;
use progress::Progress;
use tools::create_private_folder;
use tools::packages;
use tools::workspace;

use super::docker::docker;
use super::docker::succeeds;
use super::plugins;

/// The folder for the sockets and the pid file of our own engine. A short path: that of a socket has
/// at most 107 bytes.
fn run_folder() -> PathBuf {
    Path::new("/run").join(product::NAME)
}

/// Upper bound of the time until a started engine responds.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// The reason why no engine is available on this machine.
#[derive(Debug)]
pub struct Unavailable(anyhow::Error);

impl std::fmt::Display for Unavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no Docker engine is available: {:#}", self.0)
    }
}

impl std::error::Error for Unavailable {}

/// A Docker engine that responds.
#[derive(Debug)]
pub(super) struct Engine {
    /// The variables with which `docker` reaches it.
    pub(super) environment: Variables,
    /// Whether this process started it.
    started: bool,
}

impl Engine {
    /// Finds an engine, or installs and starts one.
    pub(super) async fn obtain(progress: Progress) -> Result<Self, Unavailable> {
        let mut engine = match Self::running() {
            Some(engine) => engine,
            None => Self::start(progress).await.map_err(Unavailable)?,
        };
        plugins::obtain(&mut engine.environment, progress).map_err(Unavailable)?;
        Ok(engine)
    }

    /// The engine that responds: that of the user, or ours from an earlier command.
    pub(super) fn running() -> Option<Self> {
        let ours = vec![(
            "DOCKER_HOST".to_owned(),
            format!("unix://{}/docker.sock", run_folder().display()).into(),
        )];
        [Variables::new(), ours]
            .into_iter()
            .find(responds)
            .map(|mut environment| {
                plugins::recall(&mut environment);
                Self {
                    environment,
                    started: false,
                }
            })
    }

    /// A command of `docker` for this engine.
    pub(super) fn docker(&self, arguments: &[&str]) -> Command {
        docker(&self.environment, arguments)
    }

    /// Stops the engine, if it is one of ours and runs no container.
    pub(super) async fn stop_if_ours_and_idle(&self) -> anyhow::Result<()> {
        let ours = self
            .environment
            .iter()
            .any(|(name, _)| name == "DOCKER_HOST");
        let Some(id) = own_pid().filter(|_| ours) else {
            return Ok(());
        };
        let running = self
            .docker(&["ps", "--quiet"])
            .output()
            .context("docker cannot be started")?;
        if !running.stdout.is_empty() {
            return Ok(());
        }
        Process::adopt("dockerd", id)
            .stop(Duration::from_secs(30))
            .await
    }

    /// Stops the engine, if this process started it.
    pub(super) async fn release(self) -> anyhow::Result<()> {
        if self.started {
            self.stop_if_ours_and_idle().await
        } else {
            Ok(())
        }
    }

    async fn start(progress: Progress) -> anyhow::Result<Self> {
        if !nix::unistd::geteuid().is_root() {
            return Err(anyhow!(
                "none responds, and only root can start one. Start Docker, or run this as root"
            ));
        }
        if !is_on_path("dockerd") || !is_on_path("docker") {
            packages::install(&["docker.io"], progress)?;
            // Where a service manager runs, the package has started it.
            if let Some(engine) = Self::running() {
                return Ok(engine);
            }
        }
        let step = progress.step("starting a Docker engine");
        let program = daemon()?;
        let mut process = program.start()?;
        let engine = wait_for(&mut process, &program.log).await?;
        step.done();
        Ok(engine)
    }
}

/// The command line of our own engine.
fn daemon() -> anyhow::Result<Program> {
    let data = workspace::cache()?.join("engine");
    create_private_folder(&data)?;
    let run = run_folder();
    create_private_folder(&run)?;
    let at = |flag: &str, path: PathBuf| format!("{flag}={}", path.display()).into();
    Ok(Program {
        name: "dockerd",
        path: "dockerd".into(),
        arguments: vec![
            at("--data-root", data.join("data")),
            at("--exec-root", run.join("exec")),
            at("--pidfile", run.join("dockerd.pid")),
            format!("--host=unix://{}/docker.sock", run.display()).into(),
        ],
        environment: ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"]
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), std::env::var_os(name)?)))
            .collect(),
        log: data.join("dockerd.log"),
    })
}

async fn wait_for(process: &mut Process, log: &Path) -> anyhow::Result<Engine> {
    let begun = std::time::Instant::now();
    while begun.elapsed() < START_TIMEOUT {
        if let Some(engine) = Engine::running() {
            return Ok(Engine {
                started: true,
                ..engine
            });
        }
        if let Some(ending) = process.ending() {
            return Err(anyhow!(
                "dockerd ended at once ({ending}):\n{}",
                last_lines(log, 8)
            ));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    process.stop(Duration::from_secs(10)).await?;
    Err(anyhow!("dockerd does not respond:\n{}", last_lines(log, 8)))
}

fn responds(environment: &Variables) -> bool {
    succeeds(docker(
        environment,
        &["version", "--format", "{{.Server.Version}}"],
    ))
}

/// The process of our own engine, if it runs.
fn own_pid() -> Option<ProcessId> {
    let pid = fs::read_to_string(run_folder().join("dockerd.pid")).ok()?;
    let pid: i32 = pid.trim().parse().ok()?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    (name.trim() == "dockerd")
        .then(|| ProcessId::of(pid))
        .flatten()
}

fn is_on_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}
