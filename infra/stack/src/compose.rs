//! The stack in containers: `docker-compose.yml`, on an engine that is found or installed.
//!
//! With Docker and a registry in reach, plain `docker compose` does the same. This module also works
//! on machines that have neither: it installs and starts an engine, fetches the compose plugin, and
//! makes the base images from Debian packages.

mod binaries;
mod check;
mod confinement;
mod docker;
mod engine;
mod examples;
mod images;
mod plugins;
mod project;
mod status;

use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::ensure;
use http::Request;
use https_client::HttpsClient;
use https_client::issue_token;

use crate::accounts::Accounts;
use crate::home::Home;
use crate::seed::import_patients;
use crate::settings::Ports;
use crate::state::State;
use progress::Progress;

use binaries::Programs;
use engine::Engine;
use project::Project;

pub use check::check;
pub use engine::Unavailable;
pub use status::ContainerStatus;
pub use status::Status;

/// The project that the compose file itself names.
pub const PROJECT: &str = product::NAME;

/// Upper bound of the time until web serves after app was started.
const READY_TIMEOUT: Duration = Duration::from_mins(1);

/// The result of the compose step.
#[derive(Debug)]
pub enum Checked {
    /// The properties that were confirmed, one sentence each.
    Passed(Vec<String>),
    /// No engine is available, for this reason.
    Skipped(String),
}

/// Options of [`Containers::up`].
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct UpOptions {
    /// Port of the web tier
    #[arg(long, env = "STACK_WEB_PORT", default_value_t = 8443)]
    web_port: u16,
    /// Port that redirects to HTTPS
    #[arg(long, env = "STACK_REDIRECT_PORT", default_value_t = 8080)]
    redirect_port: u16,
    /// Use free ports instead, or those that the project has already; `status` shows them
    #[arg(long)]
    free_ports: bool,
    /// Start the images that exist, without building
    #[arg(long)]
    no_build: bool,
    /// Build optimized binaries
    #[arg(long)]
    release: bool,
}

/// The containers of one project, and the home folder of their clients: it gets the CA, the sign-ins
/// and a state, so that `cargo stack --home .stack/compose import` works on it too.
#[derive(Debug)]
pub struct Containers {
    name: String,
    home: Home,
}

impl Containers {
    /// The project `name`, with its folder in that of the stack: `compose`, or `compose-<name>` if it
    /// is not the project that the compose file names.
    ///
    /// # Errors
    /// When the folder's path cannot be made absolute.
    pub fn new(stack: &Home, name: &str) -> anyhow::Result<Self> {
        let folder = if name == PROJECT {
            "compose".to_owned()
        } else {
            format!("compose-{name}")
        };
        Ok(Self {
            name: name.to_owned(),
            home: Home::at(&stack.root().join(folder))?,
        })
    }

    /// Builds the images, starts the containers, and waits until requests are served.
    ///
    /// # Errors
    /// When no engine is available, or a container does not become healthy: with its last log lines.
    pub async fn up(&self, options: UpOptions, progress: Progress) -> anyhow::Result<()> {
        let engine = Engine::obtain(progress).await?;
        let ports = self.ports(&engine, options)?;
        let mut project = Project::new(&self.name, &engine, ports)?;
        if !options.no_build {
            let release = options.release;
            project
                .build(&engine, Programs::Compiled { release }, progress)
                .await?;
        }
        project.up(progress).await?;
        project.write_home(&self.home)?;
        progress.say(&format!("the stack is up: {}", project.origin()));
        progress.say(&format!("sign-ins: {}", self.home.accounts().display()));
        progress.say(&format!("CA to trust: {}", self.authority().display()));
        Ok(())
    }

    /// Removes the containers and networks; with `volumes`, also data, keys and certificates. Stops an
    /// engine that `up` started, unless it runs other containers.
    ///
    /// # Errors
    /// When the engine refuses.
    pub async fn down(&self, volumes: bool, progress: Progress) -> anyhow::Result<()> {
        let Some(engine) = Engine::running() else {
            progress.say("no Docker engine runs, so there are no containers");
            return Ok(());
        };
        let step = progress.step("removing the containers");
        Project::known(&self.name, &engine)?.down(volumes).await?;
        if volumes {
            Project::remove_home(&self.home)?;
        }
        engine.stop_if_ours_and_idle().await?;
        step.done();
        Ok(())
    }

    /// Replaces the database with an empty one; passwords, keys and certificates stay.
    ///
    /// # Errors
    /// When the project does not run, or a container does not become healthy.
    pub async fn reset(&self, progress: Progress) -> anyhow::Result<()> {
        let project = self.running()?;
        project.reset(progress).await?;
        Project::forget_imports(&self.home)?;
        wait_until_ready(&self.client(&project)?).await?;
        project.write_home(&self.home)
    }

    /// The addresses, files and containers of the project.
    ///
    /// # Errors
    /// When the project does not run.
    pub async fn status(&self) -> anyhow::Result<Status> {
        let project = self.running()?;
        let ready = is_ready(&self.client(&project)?).await;
        Status::of(&project, &self.home, ready)
    }

    /// A bearer token of the demo person with a role, in an organization or in the first that has one.
    ///
    /// # Errors
    /// When the project does not run, or there is no such person.
    pub async fn token(&self, role: &str, organization: Option<&str>) -> anyhow::Result<String> {
        let client = self.client(&self.running()?)?;
        let accounts = Accounts::existing(&self.home)?;
        let person = accounts.person(role, organization)?;
        issue_token(&client, &person.credentials()).await
    }

    /// Imports the synthetic patients that were not imported yet.
    ///
    /// # Errors
    /// When the project does not run, or the stack refuses an entry.
    pub async fn seed(&self, progress: Progress) -> anyhow::Result<()> {
        self.running()?;
        let state = State::read(&self.home)?.context("the project has no state")?;
        import_patients(&state.settings, &self.home, progress).await
    }

    /// The project, if it runs, with its home folder up to date.
    fn running(&self) -> anyhow::Result<Project> {
        let engine = Engine::running();
        let engine = engine.context("no Docker engine runs: use `cargo stack compose up` first")?;
        let project = Project::running(&self.name, &engine)?;
        let project = project.with_context(|| {
            format!(
                "the project {} has no containers: use `cargo stack compose up` first",
                self.name
            )
        })?;
        project.write_home(&self.home)?;
        Ok(project)
    }

    fn ports(&self, engine: &Engine, options: UpOptions) -> anyhow::Result<Ports> {
        if !options.free_ports {
            return Ok(Ports {
                web: options.web_port,
                redirect: options.redirect_port,
                ..Ports::default()
            });
        }
        match Project::running(&self.name, engine)? {
            Some(project) => Ok(project.ports()),
            None => Ports::free(),
        }
    }

    fn client(&self, project: &Project) -> anyhow::Result<HttpsClient> {
        HttpsClient::new(project.ports().web, &self.authority())
    }

    fn authority(&self) -> PathBuf {
        self.home.certificate("public/ca.pem")
    }
}

/// Whether web serves requests: it has an instance of app that is ready.
async fn is_ready(client: &HttpsClient) -> bool {
    let Ok(request) = Request::get("/readyz").body(bytes::Bytes::new()) else {
        return false;
    };
    let response = client.send(request).await;
    response.is_ok_and(|response| response.status().is_success())
}

/// Waits until web serves requests.
async fn wait_until_ready(client: &HttpsClient) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !is_ready(client).await {
        ensure!(
            begun.elapsed() < READY_TIMEOUT,
            "web has no instance of app that is ready"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
