//! A project of `docker-compose.yml`: its name, its ports, and the commands of `docker compose` on it.

mod client_home;
mod containers;
mod reset;

use std::path::Path;
use std::path::PathBuf;

use crate::home::write_private;
use crate::process::Variables;
use crate::settings::Ports;
use progress::Progress;
use tools::workspace;

use super::binaries;
use super::binaries::Programs;
use super::engine::Engine;
use super::images;

/// The CA certificates that this machine trusts, passed to image builds: behind a proxy that
/// intercepts TLS, downloads would otherwise fail.
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
    /// A project with fixed ports, for `docker compose up`. Its images must exist, or be built by
    /// [`Self::build`].
    pub(super) fn new(name: &str, engine: &Engine, ports: Ports) -> anyhow::Result<Self> {
        let mut project = Self::known(name, engine)?;
        project.set("STACK_WEB_PORT", ports.web.to_string());
        project.set("STACK_REDIRECT_PORT", ports.redirect.to_string());
        project.ports = ports;
        Ok(project)
    }

    /// A project whose ports do not matter, to inspect it or to remove it.
    pub(super) fn known(name: &str, engine: &Engine) -> anyhow::Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            root: workspace::root()?,
            ports: Ports::default(),
            environment: engine.environment.clone(),
        })
    }

    /// The project as it runs, with the ports that it publishes; none if web has no container.
    pub(super) fn running(name: &str, engine: &Engine) -> anyhow::Result<Option<Self>> {
        let known = Self::known(name, engine)?;
        let web = known.inspect("web")?.pop();
        let published = |port: &str| -> Option<u16> {
            let pointer = format!("/HostConfig/PortBindings/{port}~1tcp/0/HostPort");
            web.as_ref()?.pointer(&pointer)?.as_str()?.parse().ok()
        };
        let (Some(web), Some(redirect)) = (published("8443"), published("8080")) else {
            return Ok(None);
        };
        let ports = Ports {
            web,
            redirect,
            ..Ports::default()
        };
        Self::new(name, engine, ports).map(Some)
    }

    /// Sets a variable of the compose file.
    pub(super) fn set(&mut self, name: &str, value: String) {
        self.environment.push((name.to_owned(), value.into()));
    }

    /// The public origin of web.
    pub(super) fn origin(&self) -> String {
        format!("https://localhost:{}", self.ports.web)
    }

    /// The published ports.
    pub(super) fn ports(&self) -> Ports {
        self.ports
    }

    /// The name of the project.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Obtains the base images and the programs, and builds the images.
    pub(super) async fn build(
        &mut self,
        engine: &Engine,
        programs: Programs,
        progress: Progress,
    ) -> anyhow::Result<()> {
        let compiler = matches!(programs, Programs::Compiled { .. });
        let images = images::obtain(engine, compiler, progress)?;
        self.environment.extend(images);
        match programs {
            Programs::Compiled { release: true } => self.set("PROFILE", "release".to_owned()),
            Programs::Compiled { release: false } => self.set("PROFILE", "dev".to_owned()),
            Programs::OfThisMachine => {
                binaries::lay_out(progress)?;
                self.set("BINARIES", "machine".to_owned());
            }
        }
        if Path::new(TRUSTED).is_file() {
            self.set("STACK_BUILD_CERTIFICATES", TRUSTED.to_owned());
        }
        let step = progress.step("building the images (minutes, the first time)");
        self.run(&["--progress", "plain", "--profile", "tests", "build"])
            .await?;
        step.done();
        Ok(())
    }

    /// Starts the containers from images that exist, and waits until web is healthy: then an instance
    /// of app gets requests.
    pub(super) async fn up(&self, progress: Progress) -> anyhow::Result<()> {
        let step = progress.step("starting the containers");
        let started = self
            .run(&["up", "--no-build", "--detach", "--wait", "web"])
            .await;
        if let Err(error) = started {
            let logs = self
                .output(&["logs", "--no-color", "--tail", "15"])
                .unwrap_or_default();
            return Err(error.context(format!("the containers' last log lines:\n{logs}")));
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

    /// Saves the logs of the containers in a file, and returns its path.
    pub(super) fn save_logs(&self) -> anyhow::Result<PathBuf> {
        let path = self
            .root
            .join(format!("target/compose/{}-containers.log", self.name));
        write_private(&path, self.output(&["logs", "--no-color"])?.as_bytes())?;
        Ok(path)
    }

    /// Removes the containers and networks, and with `volumes` the volumes.
    pub(super) async fn down(&self, volumes: bool) -> anyhow::Result<()> {
        let mut arguments = vec!["--profile", "tests", "down", "--remove-orphans"];
        if volumes {
            arguments.push("--volumes");
        }
        self.run(&arguments).await
    }
}
