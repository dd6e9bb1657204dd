//! A stack's processes one by one: started and awaited, stopped, killed or halted by name.

use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::bail;
use nix::sys::signal::Signal;

use super::STOPPING;
use super::Stack;
use crate::emulator;
use crate::environment;
use crate::home::Home;
use crate::process::Process;
use crate::process::Program;
use crate::process::last_lines;
use crate::readiness;
use crate::settings::Settings;

/// How long a process may take until it is ready.
const PATIENCE: Duration = Duration::from_mins(1);

impl Stack {
    /// Starts one process, by name, and waits until it is ready.
    ///
    /// # Errors
    /// When there is no such process, it already runs, or it does not become ready.
    pub async fn start(&mut self, name: &str) -> anyhow::Result<()> {
        if self
            .process(name)
            .is_some_and(|process| process.ending().is_none())
        {
            bail!("{name} already runs");
        }
        let program = self.program(name)?;
        self.processes
            .retain(|process| process.name != program.name);
        let process = program.start()?;
        self.processes.push(process);
        self.write_state()?;
        let (settings, home) = (self.settings.clone(), self.home.clone());
        await_ready(self.known(name)?, &program, &settings, &home).await
    }

    /// Kills one process, by name, as a power cut would.
    ///
    /// # Errors
    /// When there is no such process, or it does not end.
    pub async fn kill(&mut self, name: &str) -> anyhow::Result<()> {
        self.known(name)?.kill().await
    }

    /// Stops one process, by name, politely.
    ///
    /// # Errors
    /// When there is no such process, or it does not end.
    pub async fn stop(&mut self, name: &str) -> anyhow::Result<()> {
        let patience = patience_of(name);
        self.known(name)?.stop(patience).await
    }

    /// Halts one process, by name, so that it hangs without closing its connections.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn pause(&mut self, name: &str) -> anyhow::Result<()> {
        self.known(name)?.id.signal(Signal::SIGSTOP)
    }

    /// Lets a paused process go on.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn resume(&mut self, name: &str) -> anyhow::Result<()> {
        self.known(name)?.id.signal(Signal::SIGCONT)
    }

    /// The processes that have ended, and how.
    pub(crate) fn endings(&mut self) -> Vec<(&'static str, String)> {
        self.processes
            .iter_mut()
            .filter_map(|process| Some((process.name, process.ending()?)))
            .collect()
    }

    fn program(&self, name: &str) -> anyhow::Result<Program> {
        let (settings, home, binaries) = (&self.settings, &self.home, &self.binaries);
        match name {
            "web" => Ok(environment::web(settings, home, binaries)),
            "app" => environment::app(settings, home, binaries, &[]),
            "kms" => emulator::program(settings, home),
            "mysql" => Ok(self.server.program(home)),
            _ => bail!("there is no process `{name}`; there are web, app, kms and mysql"),
        }
    }

    pub(super) fn process(&mut self, name: &str) -> Option<&mut Process> {
        self.processes
            .iter_mut()
            .find(|process| process.name == name)
    }

    fn known(&mut self, name: &str) -> anyhow::Result<&mut Process> {
        self.process(name)
            .with_context(|| format!("no process `{name}` was started"))
    }
}

/// Waits until a process that was started is ready.
pub(super) async fn await_ready(
    process: &mut Process,
    program: &Program,
    settings: &Settings,
    home: &Home,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(ending) = process.ending() {
            bail!(
                "{} ended ({ending}). {}",
                program.name,
                log_excerpt(program)
            );
        }
        if readiness::of(program.name, settings, home).await {
            return Ok(());
        }
        if Instant::now() > deadline {
            let seconds = PATIENCE.as_secs();
            bail!(
                "{} is not ready after {seconds} s. {}",
                program.name,
                log_excerpt(program)
            );
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn patience_of(name: &str) -> Duration {
    let known = STOPPING.iter().find(|(candidate, _)| *candidate == name);
    known.map_or(Duration::from_secs(15), |(_, patience)| *patience)
}

fn log_excerpt(program: &Program) -> String {
    format!(
        "The end of {}:\n{}",
        program.log.display(),
        last_lines(&program.log, 15)
    )
}
