//! The home folder of clients: the CA, the sign-ins and the address of a project.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::ensure;

use super::Project;
use crate::home::Home;
use crate::home::write_private;
use crate::process::ProcessId;
use crate::settings::Database;
use crate::settings::KeyService;
use crate::settings::Settings;
use crate::state::State;
use tools::create_private_folder;

/// The file of a home folder that names the authority volume whose CA and sign-ins are in it.
const AUTHORITY: &str = "authority";

impl Project {
    /// Writes the CA, the sign-ins and a state into a home folder, for commands that are clients of web.
    /// Does nothing if they are there already.
    pub(in crate::compose) fn write_home(&self, home: &Home) -> anyhow::Result<()> {
        let authority = self.authority()?;
        let marker = home.root().join(AUTHORITY);
        if fs::read(&marker).is_ok_and(|written| written == authority.as_bytes()) {
            return self.state(home)?.write(home);
        }
        home.create()?;
        create_private_folder(&home.certificates().join("public"))?;
        let setup =
            |what: &str| self.output(&["run", "--rm", "--no-deps", "--quiet-pull", "setup", what]);
        fs::write(home.certificate("public/ca.pem"), setup("authority")?)
            .context("the CA cannot be written")?;
        write_private(&home.accounts(), setup("sign-ins")?.as_bytes())?;
        Self::forget_imports(home)?;
        self.state(home)?.write(home)?;
        write_private(&marker, authority.as_bytes())
    }

    /// Forgets which entries were imported: for a database that has none of them.
    pub(in crate::compose) fn forget_imports(home: &Home) -> anyhow::Result<()> {
        fs::remove_dir_all(home.imports()).context("the journal of imports cannot be removed")?;
        create_private_folder(&home.imports())
    }

    /// Removes a home folder that [`Self::write_home`] made.
    pub(in crate::compose) fn remove_home(home: &Home) -> anyhow::Result<()> {
        if home.root().join(AUTHORITY).is_file() {
            fs::remove_dir_all(home.root())
                .with_context(|| format!("{} cannot be removed", home.root().display()))?;
        }
        Ok(())
    }

    /// What distinguishes this project's CA and sign-ins from earlier ones: when their volume was made.
    fn authority(&self) -> anyhow::Result<String> {
        let volume = format!("{}_authority", self.name);
        let created = self
            .docker(&["volume", "inspect", "--format", "{{.CreatedAt}}", &volume])
            .output()
            .context("docker cannot be started")?;
        ensure!(
            created.status.success(),
            "the project {} has no certificates: start it with `cargo stack compose up`",
            self.name
        );
        let created = String::from_utf8_lossy(&created.stdout).into_owned();
        Ok(format!("{volume} {created}"))
    }

    fn state(&self, home: &Home) -> anyhow::Result<State> {
        let mut settings = Settings::new(home.root());
        settings.options.ports = self.ports;
        settings.options.key_service = KeyService::Emulator;
        settings.options.database = Database::Mysql;
        let processes = self.processes();
        let web = processes.get("web").copied();
        Ok(State {
            settings,
            binaries: PathBuf::new(),
            // No process supervises the containers; that of web is in its place.
            supervisor: web.map_or_else(ProcessId::own, Ok)?,
            processes,
            ready: true,
        })
    }

    /// The main processes of the containers, where the engine runs on this very machine.
    fn processes(&self) -> BTreeMap<String, ProcessId> {
        let process = |service: &str| {
            let container = self.inspect(service).ok()?.into_iter().next()?;
            let pid = container.pointer("/State/Pid")?.as_i64()?;
            ProcessId::of(i32::try_from(pid).ok()?)
        };
        let services = [
            ("web", "web"),
            ("app", "app"),
            ("mysql", "db"),
            ("kms", "kms"),
        ];
        services
            .into_iter()
            .filter_map(|(name, service)| Some((name.to_owned(), process(service)?)))
            .collect()
    }
}
