//! The addresses, files and containers of a project, for people and for scripts.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use crate::home::Home;

use super::project::Project;

/// The output of `cargo stack compose status`, in JSON for scripts.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// The name of the compose project.
    pub project: String,
    /// The public origin, for clients on this machine.
    pub url: String,
    /// The origin for clients in containers on [`Status::network`].
    pub url_in_containers: String,
    /// The network that a container of clients joins.
    pub network: String,
    /// Whether requests are served.
    pub ready: bool,
    /// The CA of both origins, a PEM file.
    pub ca: PathBuf,
    /// The demo people with their passwords, a JSON file.
    pub sign_ins: PathBuf,
    /// Every container.
    pub containers: Vec<ContainerStatus>,
}

/// A container of the project.
#[derive(Clone, Debug, Serialize)]
pub struct ContainerStatus {
    /// Its name.
    pub name: String,
    /// `running`, `exited` or another state of the engine.
    pub state: String,
    /// `healthy`, `unhealthy` or `starting`, if the service has a health check.
    pub health: Option<String>,
}

impl Status {
    pub(super) fn of(project: &Project, home: &Home, ready: bool) -> anyhow::Result<Self> {
        let mut containers = Vec::new();
        for service in project.services()? {
            containers.extend(project.inspect(&service)?.iter().map(container));
        }
        Ok(Self {
            project: project.name().to_owned(),
            url: project.origin(),
            url_in_containers: "https://web:8443".to_owned(),
            network: format!("{}_edge", project.name()),
            ready,
            ca: home.certificate("public/ca.pem"),
            sign_ins: home.accounts(),
            containers,
        })
    }
}

fn container(inspected: &Value) -> ContainerStatus {
    let text = |pointer: &str| inspected.pointer(pointer)?.as_str().map(str::to_owned);
    let name = text("/Name").unwrap_or_default();
    ContainerStatus {
        name: name.trim_start_matches('/').to_owned(),
        state: text("/State/Status").unwrap_or_default(),
        health: text("/State/Health/Status"),
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ready = if self.ready { "ready" } else { "not ready" };
        writeln!(f, "{:<24} {} ({ready})", "on this machine", self.url)?;
        writeln!(
            f,
            "{:<24} {} on the network {}",
            "in containers", self.url_in_containers, self.network
        )?;
        writeln!(f, "{:<24} {}", "CA", self.ca.display())?;
        writeln!(f, "{:<24} {}", "sign-ins", self.sign_ins.display())?;
        for container in &self.containers {
            let state = container.health.as_ref().unwrap_or(&container.state);
            writeln!(f, "{:<24} {state}", container.name)?;
        }
        Ok(())
    }
}
