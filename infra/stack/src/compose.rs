//! The stack in containers: `docker-compose.yml`, on whatever engine this machine can have.
//!
//! With Docker and a registry in reach, plain `docker compose up` does the same. This module is for
//! machines that have neither yet: it installs and starts an engine, gets the compose plugin, and
//! makes the base images from Debian packages.

mod binaries;
mod check;
mod confinement;
mod engine;
mod images;
mod plugins;
mod project;

use crate::home::Home;
use crate::settings::Ports;
use progress::Progress;
use tools::workspace;

use binaries::Programs;
use engine::Engine;
use project::Project;

pub use check::check;
pub use engine::Unavailable;

/// The project of `cargo stack compose up`, as the compose file itself names it.
const PROJECT: &str = product::NAME;

/// What the compose step found out.
#[derive(Debug)]
pub enum Checked {
    /// Everything that was looked at is as it should be: one sentence each.
    Passed(Vec<String>),
    /// There is no engine to try it on, for this reason.
    Skipped(String),
}

/// Builds the images, brings everything up, and leaves the CA, sign-ins and state in the folder
/// `compose` of `home`, so that `cargo stack --home .stack/compose token` and `import` work on it.
///
/// # Errors
/// When there is no engine to be had, or a part does not get healthy: says which and what it wrote.
pub async fn up(
    home: &Home,
    ports: Ports,
    release: bool,
    progress: Progress,
) -> anyhow::Result<()> {
    let engine = Engine::obtain(progress).await?;
    let project = Project::new(
        PROJECT,
        &engine,
        ports,
        Programs::Compiled { release },
        progress,
    )?;
    project.up(progress).await?;
    let home = Home::at(&home.root().join("compose"))?;
    project.write_home(&home)?;
    progress.say(&format!("{} is up in containers", project.origin()));
    progress.say(&format!("sign-ins: {}", home.accounts().display()));
    progress.say(&format!(
        "CA to trust: {}",
        home.certificate("public/ca.pem").display()
    ));
    Ok(())
}

/// Takes everything down; with `volumes`, its data, keys and certificates as well. An engine that
/// was started here is stopped too.
///
/// # Errors
/// When the engine refuses.
pub async fn down(volumes: bool, progress: Progress) -> anyhow::Result<()> {
    let Some(engine) = Engine::running() else {
        progress.say("no Docker engine runs, so nothing is up in containers");
        return Ok(());
    };
    let project = Project::known(PROJECT, &engine, workspace::root()?);
    let step = progress.step("taking the containers down");
    project.down(volumes).await?;
    engine.stop_if_ours().await?;
    step.done();
    Ok(())
}
