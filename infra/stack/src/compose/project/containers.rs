//! Commands in and on the containers of a project.

use std::process::Command;
use std::process::Stdio;

use anyhow::Context;
use anyhow::bail;
use anyhow::ensure;

use super::Project;
use crate::process::last_lines;
use crate::process::open_log;
use tools::create_private_folder;

impl Project {
    /// Whether a script succeeds in a container of a service, run as its own user. The first instance
    /// is 1.
    pub(in crate::compose) fn exec(
        &self,
        service: &str,
        instance: usize,
        script: &str,
    ) -> anyhow::Result<bool> {
        let index = instance.to_string();
        let mut command = self.compose(&[
            "exec", "--no-TTY", "--index", &index, service, "bash", "-c", script,
        ]);
        let output = command.output().context("docker cannot be started")?;
        Ok(output.status.success())
    }

    /// The output of a script in the first container of a service.
    pub(in crate::compose) fn exec_output(
        &self,
        service: &str,
        script: &str,
    ) -> anyhow::Result<String> {
        self.output(&["exec", "--no-TTY", service, "bash", "-c", script])
    }

    /// The output of the service `tests`, or of a script in its container.
    pub(in crate::compose) fn run_tests(&self, script: Option<&str>) -> anyhow::Result<String> {
        let mut arguments = vec!["--profile", "tests", "run", "--rm", "--no-deps"];
        if let Some(script) = script {
            arguments.extend(["--entrypoint", "bash", "tests", "-c", script]);
        } else {
            arguments.push("tests");
        }
        self.output(&arguments)
    }

    /// Runs `docker stop` or `docker start` on one instance of a service.
    pub(in crate::compose) async fn instance(
        &self,
        command: &str,
        service: &str,
        instance: usize,
    ) -> anyhow::Result<()> {
        let container = format!("{}-{service}-{instance}", self.name);
        self.run_docker(&[command, &container]).await
    }

    /// Runs a command of the engine to its end.
    pub(in crate::compose) async fn run_docker(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let output = tokio::process::Command::from(self.docker(arguments))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .context("docker cannot be started")?;
        ensure!(
            output.status.success(),
            "docker {} ended with {}:\n{}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// The containers of a service as `docker inspect` describes them, also those that have ended.
    pub(in crate::compose) fn inspect(
        &self,
        service: &str,
    ) -> anyhow::Result<Vec<serde_json::Value>> {
        let ids = self.output(&["ps", "--all", "--quiet", service])?;
        let mut arguments = vec!["inspect"];
        arguments.extend(ids.split_whitespace());
        if arguments.len() == 1 {
            return Ok(Vec::new());
        }
        let output = self
            .docker(&arguments)
            .output()
            .context("docker cannot be started")?;
        serde_json::from_slice(&output.stdout)
            .with_context(|| format!("docker inspect describes no container of {service}"))
    }

    /// The services that the compose file names.
    pub(in crate::compose) fn services(&self) -> anyhow::Result<Vec<String>> {
        let names = self.output(&["config", "--services"])?;
        Ok(names.lines().map(str::to_owned).collect())
    }

    /// The compose file as `docker compose` resolves it.
    pub(in crate::compose) fn resolved(&self) -> anyhow::Result<String> {
        self.output(&["--profile", "tests", "config"])
    }

    /// The networks, and whether the engine routes packets out of them.
    pub(in crate::compose) fn networks(&self) -> anyhow::Result<Vec<(String, bool)>> {
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
        ensure!(!networks.is_empty(), "the project has no networks");
        Ok(networks)
    }

    /// A command of the engine.
    pub(in crate::compose) fn docker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(arguments).current_dir(&self.root);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// A command of `docker compose` on this project.
    fn compose(&self, arguments: &[&str]) -> Command {
        let mut all = vec!["compose", "--project-name", &self.name];
        all.extend(arguments);
        self.docker(&all)
    }

    /// Runs `docker compose` to its end, with its output in `target/compose/<project>.log`.
    pub(in crate::compose) async fn run(&self, arguments: &[&str]) -> anyhow::Result<()> {
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
            let last = last_lines(&path, 20);
            bail!(
                "docker compose {} ended with {status}:\n{last}",
                arguments.join(" ")
            );
        }
        Ok(())
    }

    /// The output of `docker compose`.
    pub(in crate::compose) fn output(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self
            .compose(arguments)
            .output()
            .context("docker cannot be started")?;
        if !output.status.success() {
            bail!(
                "docker compose {} ended with {}:\n{}{}",
                arguments.join(" "),
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        String::from_utf8(output.stdout).context("the output of docker compose is not UTF-8")
    }
}
