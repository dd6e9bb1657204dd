//! A running stack: its processes are started in order and stopped in the opposite order.

mod processes;
mod second_instance;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use nix::sys::signal::Signal;

use crate::accounts::Accounts;
use crate::home::Home;
use crate::lock::Lock;
use crate::process::Process;
use crate::process::ProcessId;
use crate::server::Extras;
use crate::server::Server;
use crate::settings::KeyService;
use crate::settings::Settings;
use crate::state::State;
use crate::status::Status;
use progress::Progress;
pub use second_instance::SecondInstance;

use crate::certificates;
use crate::emulator;
use crate::environment;
use crate::keys;
use crate::seed;
use tools::binaries;

/// The processes in the order in which they are stopped, with the time each has to end: web and app drain, the
/// database flushes.
pub(crate) const STOPPING: [(&str, Duration); 4] = [
    ("web", Duration::from_secs(15)),
    ("app", Duration::from_secs(15)),
    ("kms", Duration::from_secs(5)),
    ("mysql", Duration::from_mins(1)),
];

/// A stack that this process started and supervises. Dropped without [`Stack::down`], its processes are killed.
#[derive(Debug)]
pub struct Stack {
    settings: Settings,
    home: Home,
    binaries: PathBuf,
    server: Server,
    processes: Vec<Process>,
    ready: bool,
    progress: Progress,
    lock: Option<Lock>,
}

impl Stack {
    /// Prepares and starts a stack, showing nothing.
    ///
    /// # Errors
    /// When a part is missing, a port is taken, another stack runs in the same folder, or a process
    /// does not become ready; what was started is stopped again.
    pub async fn up(settings: Settings) -> anyhow::Result<Self> {
        let mut stack = Self::prepare(settings, Progress::hidden()).await?;
        if let Err(error) = stack.start_all().await {
            stack.down().await?;
            return Err(error);
        }
        Ok(stack)
    }

    /// Prepares everything that the first process needs: folder, server, programs, certificates.
    ///
    /// # Errors
    /// See [`Stack::up`].
    pub async fn prepare(settings: Settings, progress: Progress) -> anyhow::Result<Self> {
        Self::prepare_with(settings, progress, None).await
    }

    /// The same, with the programs of a folder if one is given.
    ///
    /// # Errors
    /// See [`Stack::up`].
    pub async fn prepare_with(
        settings: Settings,
        progress: Progress,
        binaries: Option<PathBuf>,
    ) -> anyhow::Result<Self> {
        let home = Home::at(&settings.home)?;
        home.create()?;
        let lock = Lock::take(&home)?;
        if let Some(state) = State::read(&home)?.filter(State::is_alive) {
            progress.say("stopping the processes of an earlier stack");
            stop_leftovers(&state).await?;
        }
        settings.options.check_ports()?;
        keys::check_same(&settings, &home)?;
        let server = Server::obtain(settings.options.database, progress)?;
        if settings.options.key_service == KeyService::Emulator {
            emulator::obtain(progress)?;
        }
        let binaries = match binaries {
            Some(binaries) => binaries,
            None => binaries::obtain(settings.options.release)?,
        };
        let step = progress.step("issuing certificates");
        certificates::issue(&home)?;
        step.done();
        let options = &settings.options;
        let memory = options.database_memory;
        server.prepare(&home, options.ports.database, memory, Extras::default())?;
        let processes = Vec::new();
        let lock = Some(lock);
        let stack = Self {
            settings,
            home,
            binaries,
            server,
            processes,
            ready: false,
            progress,
            lock,
        };
        stack.write_state()?;
        Ok(stack)
    }

    /// Takes over the processes that another command started.
    pub(crate) async fn adopt(home: Home, progress: Progress) -> anyhow::Result<Self> {
        let lock = Lock::take_within(&home, Duration::from_secs(5)).await?;
        let state = State::read(&home)?.context("nothing was started in this folder")?;
        let processes = STOPPING
            .iter()
            .rev()
            .filter_map(|(name, _)| Some(Process::adopt(name, *state.processes.get(*name)?)))
            .collect();
        let stack = Self {
            server: Server::obtain(state.settings.options.database, progress)?,
            settings: state.settings,
            home,
            binaries: state.binaries,
            processes,
            ready: state.ready,
            progress,
            lock: Some(lock),
        };
        stack.write_state()?;
        Ok(stack)
    }

    /// Starts every process once the one that it depends on is ready, and provisions an empty stack.
    ///
    /// # Errors
    /// When one does not become ready: the error shows the end of its log.
    pub async fn start_all(&mut self) -> anyhow::Result<()> {
        let step = self
            .progress
            .step(&format!("starting {}", self.server.title()));
        self.start("mysql").await?;
        step.done();
        if self.settings.options.key_service == KeyService::Emulator {
            let step = self.progress.step("starting the key service emulator");
            self.start("kms").await?;
            emulator::create_keys(&self.settings, &self.home).await?;
            step.done();
        }
        let step = self.progress.step("applying migrations and grants");
        let migrate = environment::migrate(&self.settings, &self.home, &self.binaries);
        migrate.run().await.context("the migrations failed")?;
        step.done();
        self.provision().await?;
        let step = self.progress.step("starting app and web");
        self.start("app").await?;
        self.start("web").await?;
        step.done();
        if self.settings.options.patients {
            seed::import_patients(&self.settings, &self.home, self.progress).await?;
        }
        self.ready = true;
        self.write_state()
    }

    /// Stops all processes in order: web drains first, the database is last.
    ///
    /// # Errors
    /// When a process does not end.
    pub async fn down(&mut self) -> anyhow::Result<()> {
        for (name, patience) in STOPPING {
            let Some(process) = self.process(name) else {
                continue;
            };
            if process.ending().is_none() {
                process.stop(patience).await?;
                self.progress.say(&format!("{name} stopped"));
            }
        }
        self.processes.clear();
        State::remove(&self.home)
    }

    /// Leaves the processes running when this is dropped.
    pub(crate) fn leave(&mut self) {
        self.processes.clear();
        self.lock = None;
    }

    /// Addresses, folders, processes and accounts.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn status(&self) -> anyhow::Result<Status> {
        Status::of(&self.home)
    }

    /// Whether the state file still names this process as the supervisor.
    pub(crate) fn is_supervised_here(&self) -> anyhow::Result<bool> {
        let state = State::read(&self.home)?;
        Ok(state.is_some_and(|state| ProcessId::own().is_ok_and(|own| own == state.supervisor)))
    }

    /// The folder of this stack.
    #[must_use]
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// How this stack was started.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    async fn provision(&self) -> anyhow::Result<()> {
        let step = self.progress.step("provisioning keys and demo accounts");
        keys::make(&self.settings, &self.home, &self.binaries).await?;
        let provision = ["provision".into()];
        let app = environment::app(&self.settings, &self.home, &self.binaries, &provision)?;
        let mut accounts = Accounts::read_or_make(&self.home)?;
        accounts
            .provision(&app, &self.home)
            .await
            .context("the demo accounts cannot be made")?;
        step.done();
        Ok(())
    }

    fn write_state(&self) -> anyhow::Result<()> {
        State {
            settings: self.settings.clone(),
            binaries: self.binaries.clone(),
            supervisor: ProcessId::own()?,
            processes: self
                .processes
                .iter()
                .map(|p| (p.name.to_owned(), p.id))
                .collect(),
            ready: self.ready,
        }
        .write(&self.home)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // An error cannot be reported from here.
            let _ = process.id.signal(Signal::SIGKILL);
        }
    }
}

/// Stops the processes of a stack whose supervisor has ended.
pub(crate) async fn stop_leftovers(state: &State) -> anyhow::Result<()> {
    for (name, patience) in STOPPING {
        if let Some(id) = state.processes.get(name) {
            Process::adopt(name, *id).stop(patience).await?;
        }
    }
    Ok(())
}
