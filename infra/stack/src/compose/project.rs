//! One project of `docker-compose.yml`: its name, its ports, and what is asked of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context;
use anyhow::bail;
use anyhow::ensure;

use crate::environment::Variables;
use crate::home::Home;
use crate::home::create_private_folder;
use crate::home::write_private;
use crate::process::ProcessId;
use crate::process::last_lines;
use crate::process::open_log;
use crate::settings::Database;
use crate::settings::KeyService;
use crate::settings::Ports;
use crate::settings::Settings;
use crate::state::State;
use progress::Progress;
use tools::workspace;

use super::binaries;
use super::binaries::Programs;
use super::engine::Engine;
use super::images;

/// The CA certificates that this machine's programs trust: handed to builds, where a network that
/// opens TLS would otherwise make downloads fail.
const TRUSTED: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A project of the compose file.
#[derive(Debug)]
pub(super) struct Project {
    name: String,
    root: PathBuf,
    ports: Ports,
    environment: Variables,
}

impl Project {
    /// Prepares everything that building needs.
    pub(super) fn new(
        name: &str,
        engine: &Engine,
        ports: Ports,
        programs: Programs,
        progress: Progress,
    ) -> anyhow::Result<Self> {
        let mut project = Self::known(name, engine, workspace::root()?);
        let compiler = matches!(programs, Programs::Compiled { .. });
        let images = images::obtain(engine, compiler, progress)?;
        project.environment.extend(images);
        let mut set = |name: &str, value: String| {
            project.environment.push((name.to_owned(), value.into()));
        };
        match programs {
            Programs::Compiled { release: true } => set("PROFILE", "release".to_owned()),
            Programs::Compiled { release: false } => set("PROFILE", "dev".to_owned()),
            Programs::OfThisMachine => {
                binaries::lay_out(progress)?;
                set("BINARIES", "machine".to_owned());
            }
        }
        set("STACK_WEB_PORT", ports.web.to_string());
        set("STACK_REDIRECT_PORT", ports.redirect.to_string());
        if Path::new(TRUSTED).is_file() {
            set("STACK_BUILD_CERTIFICATES", TRUSTED.to_owned());
        }
        project.ports = ports;
        Ok(project)
    }

    /// A project that nothing is built for: to look at it or take it down.
    pub(super) fn known(name: &str, engine: &Engine, root: PathBuf) -> Self {
        let environment = engine.environment.clone();
        Self {
            name: name.to_owned(),
            root,
            ports: Ports::default(),
            environment,
        }
    }

    /// The address of its front door.
    pub(super) fn origin(&self) -> String {
        format!("https://localhost:{}", self.ports.web)
    }

    /// Builds the images and waits until every service is healthy.
    pub(super) async fn up(&self, progress: Progress) -> anyhow::Result<()> {
        let step = progress.step("building the images (minutes, the first time)");
        self.run(&["--progress", "plain", "build"]).await?;
        step.done();
        let step = progress.step("bringing the containers up");
        let brought = self
            .run(&["up", "--no-build", "--detach", "--wait", "web"])
            .await;
        if let Err(error) = brought {
            let logs = self
                .output(&["logs", "--no-color", "--tail", "15"])
                .unwrap_or_default();
            return Err(error.context(format!("what the containers wrote:\n{logs}")));
        }
        step.done();
        Ok(())
    }

    /// Restarts a service and waits until it is healthy again.
    pub(super) async fn restart(&self, service: &str) -> anyhow::Result<()> {
        self.run(&["restart", service]).await?;
        self.run(&[
            "up",
            "--no-build",
            "--detach",
            "--wait",
            "--no-deps",
            service,
        ])
        .await
    }

    /// Keeps what the containers wrote; gives the file.
    pub(super) fn keep_logs(&self) -> anyhow::Result<PathBuf> {
        let path = self
            .root
            .join(format!("target/compose/{}-containers.log", self.name));
        write_private(&path, self.output(&["logs", "--no-color"])?.as_bytes())?;
        Ok(path)
    }

    /// Removes containers and networks, and with `volumes` what they stored.
    pub(super) async fn down(&self, volumes: bool) -> anyhow::Result<()> {
        let mut arguments = vec!["down", "--remove-orphans"];
        if volumes {
            arguments.push("--volumes");
        }
        self.run(&arguments).await
    }

    /// Writes the CA, the sign-ins and a state into a home folder, for the commands that go through
    /// the front door.
    pub(super) fn write_home(&self, home: &Home) -> anyhow::Result<()> {
        home.create()?;
        create_private_folder(&home.certificates().join("public"))?;
        let setup =
            |what: &str| self.output(&["run", "--rm", "--no-deps", "--quiet-pull", "setup", what]);
        fs::write(home.certificate("public/ca.pem"), setup("authority")?)
            .context("the CA cannot be written")?;
        write_private(&home.accounts(), setup("sign-ins")?.as_bytes())?;
        let mut settings = Settings::new(home.root());
        settings.options.ports = self.ports;
        settings.options.key_service = KeyService::Emulator;
        settings.options.database = Database::Mysql;
        let processes = self.processes();
        let web = processes.get("web").copied();
        let state = State {
            settings,
            binaries: PathBuf::new(),
            // The engine watches over the containers; web stands for it.
            supervisor: web.map_or_else(ProcessId::own, Ok)?,
            processes,
            ready: true,
        };
        state.write(home)
    }

    /// The containers' main processes, where the engine runs on this very machine.
    fn processes(&self) -> BTreeMap<String, ProcessId> {
        let process = |service: &str| {
            let container = self.inspect(service).ok()?;
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

    /// Runs a command within a container of a service, as its own user.
    pub(super) fn exec(&self, service: &str, script: &str) -> anyhow::Result<bool> {
        let mut command = self.compose(&["exec", "--no-TTY", service, "bash", "-c", script]);
        let output = command.output().context("docker cannot be started")?;
        Ok(output.status.success())
    }

    /// What a command within a container of a service prints.
    pub(super) fn exec_output(&self, service: &str, script: &str) -> anyhow::Result<String> {
        self.output(&["exec", "--no-TTY", service, "bash", "-c", script])
    }

    /// What `docker inspect` says about the container of a service, also when it has ended.
    pub(super) fn inspect(&self, service: &str) -> anyhow::Result<serde_json::Value> {
        let id = self.output(&["ps", "--all", "--quiet", service])?;
        let output = self
            .docker(&["inspect", id.trim()])
            .output()
            .context("docker cannot be started")?;
        let mut found: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("there is no container of {service}"))?;
        found
            .pop()
            .with_context(|| format!("there is no container of {service}"))
    }

    /// The services that the compose file names.
    pub(super) fn services(&self) -> anyhow::Result<Vec<String>> {
        let names = self.output(&["config", "--services"])?;
        Ok(names.lines().map(str::to_owned).collect())
    }

    /// The networks, and whether the engine lets anything out of them.
    pub(super) fn networks(&self) -> anyhow::Result<Vec<(String, bool)>> {
        let label = format!("label=com.docker.compose.project={}", self.name);
        let format = "{{.Name}} {{.Internal}}";
        let mut command = self.docker(&["network", "ls", "--filter", &label, "--format", format]);
        let output = command.output().context("docker cannot be started")?;
        let listed = String::from_utf8_lossy(&output.stdout).into_owned();
        let networks: Vec<(String, bool)> = listed
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(name, internal)| (name.to_owned(), internal != "true"))
            .collect();
        ensure!(!networks.is_empty(), "the engine shows no networks");
        Ok(networks)
    }

    fn docker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(arguments).current_dir(&self.root);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    fn compose(&self, arguments: &[&str]) -> Command {
        let mut all = vec!["compose", "--project-name", &self.name];
        all.extend(arguments);
        self.docker(&all)
    }

    /// Runs a command to its end. What it prints goes to `target/compose/<project>.log`.
    async fn run(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let folder = self.root.join("target/compose");
        create_private_folder(&folder)?;
        let path = folder.join(format!("{}.log", self.name));
        let log = open_log(&path)?;
        let errors = log.try_clone().context("the log cannot be opened twice")?;
        let mut command = tokio::process::Command::from(self.compose(arguments));
        command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .kill_on_drop(true);
        let status = command.status().await.context("docker cannot be started")?;
        if !status.success() {
            let said = last_lines(&path, 20);
            bail!(
                "docker compose {} ended with {status}:\n{said}",
                arguments.join(" ")
            );
        }
        Ok(())
    }

    /// What a command prints.
    fn output(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self
            .compose(arguments)
            .output()
            .context("docker cannot be started")?;
        if !output.status.success() {
            bail!(
                "docker compose {} ended with {}:\n{}",
                arguments.join(" "),
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
        }
        String::from_utf8(output.stdout).context("docker compose printed no text")
    }
}
