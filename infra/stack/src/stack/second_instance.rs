//! A second instance of app, of this or another build, on the database and the keys of a running stack.

use std::path::Path;

use anyhow::Context;
use nix::sys::signal::Signal;

use super::Stack;
use super::processes::await_ready;
use crate::environment;
use crate::ports::free_ports;
use crate::process::Process;
use crate::process::Program;
use crate::settings::Settings;
use crate::status::Status;

/// A second app, and a web in front of it; killed when dropped.
#[derive(Debug)]
pub struct SecondInstance {
    processes: Vec<Process>,
    status: Status,
}

impl Stack {
    /// Applies the migrations of another build.
    ///
    /// # Errors
    /// When they fail.
    pub async fn migrate_with(&self, binaries: &Path) -> anyhow::Result<()> {
        let migrate = environment::migrate(&self.settings, &self.home, binaries);
        migrate.run().await.context("the migrations failed")?;
        Ok(())
    }

    /// Starts an app of this or another build on ports of its own, with this stack's web in front of it. Both write to the
    /// logs of this stack.
    ///
    /// # Errors
    /// When one of them does not become ready.
    pub async fn start_second_instance(&self, binaries: &Path) -> anyhow::Result<SecondInstance> {
        let mut settings = self.settings.clone();
        let ports = &mut settings.options.ports;
        [ports.web, ports.redirect, ports.app] = free_ports()?;
        let mut status = self.status()?;
        status.web.address = environment::origin(&settings);
        status.app.address = format!("127.0.0.1:{}", settings.options.ports.app);
        let mut instance = SecondInstance {
            processes: Vec::new(),
            status,
        };
        let app = environment::app(&settings, &self.home, binaries, &[])?;
        let web = environment::web(&settings, &self.home, &self.binaries);
        for program in [app, web] {
            instance.start(&program, &settings, self).await?;
        }
        Ok(instance)
    }

    /// Runs `app finish` of a build, and returns its output.
    ///
    /// # Errors
    /// When it refuses.
    pub async fn finish_with(&self, binaries: &Path) -> anyhow::Result<String> {
        let arguments = ["finish".into()];
        let app = environment::app(&self.settings, &self.home, binaries, &arguments)?;
        app.run().await
    }

    /// The folder of this stack's programs.
    #[must_use]
    pub fn binaries(&self) -> &Path {
        &self.binaries
    }
}

impl SecondInstance {
    async fn start(
        &mut self,
        program: &Program,
        settings: &Settings,
        stack: &Stack,
    ) -> anyhow::Result<()> {
        let mut process = program.start()?;
        let ready = await_ready(&mut process, program, settings, &stack.home).await;
        self.processes.push(process);
        ready
    }

    /// The stack as this app and its web show it.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.clone()
    }
}

impl Drop for SecondInstance {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // A process that has ended needs no signal.
            let _ended = process.id.signal(Signal::SIGKILL);
        }
    }
}
