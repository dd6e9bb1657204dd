//! The compose and buildx plugins of Docker. If they are missing, they are unpacked into the cache
//! folder from the packages of a later Debian release; nothing is installed in the system.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::bail;

use crate::process::Variables;
use progress::Progress;
use tools::create_private_folder;
use tools::packages::debian_mirror;
use tools::packages::run_quietly;
use tools::workspace;

use super::docker::docker;
use super::docker::succeeds;

/// The release whose packages are used. They run with the C library of the release before.
const SUITE: &str = "trixie";

/// The packages, which have the names of their plugins.
const PLUGINS: [&str; 2] = ["docker-buildx", "docker-compose"];

/// Makes `docker compose` and `docker buildx` work: fetches them if they are missing, and sets the
/// variable with which `docker` finds them.
pub(super) fn obtain(environment: &mut Variables, progress: Progress) -> anyhow::Result<()> {
    if work(environment) {
        return Ok(());
    }
    let step = progress.step("fetching docker compose and buildx (26 MB)");
    let folder = folder()?;
    fetch(&folder).context(
        "docker compose cannot be fetched: install the plugins `compose` and `buildx` of Docker",
    )?;
    recall(environment);
    if !work(environment) {
        bail!(
            "the plugins in {} do not start: remove that folder",
            folder.display()
        );
    }
    step.done();
    Ok(())
}

/// Sets that variable if an earlier command unpacked the plugins and the system has none.
pub(super) fn recall(environment: &mut Variables) {
    let Ok(folder) = folder() else { return };
    let unpacked = PLUGINS
        .iter()
        .all(|plugin| folder.join("cli-plugins").join(plugin).is_file());
    if unpacked && !work(environment) {
        environment.push(("DOCKER_CONFIG".to_owned(), folder.into()));
    }
}

fn folder() -> anyhow::Result<PathBuf> {
    Ok(workspace::cache()?.join("docker"))
}

fn work(environment: &Variables) -> bool {
    ["compose", "buildx"]
        .iter()
        .all(|plugin| succeeds(docker(environment, &[plugin, "version"])))
}

/// Downloads and verifies the packages by apt, with a state of its own, and extracts the plugins.
fn fetch(folder: &Path) -> anyhow::Result<()> {
    let apt = folder.join("apt");
    for part in ["state/lists/partial", "cache/archives/partial"] {
        create_private_folder(&apt.join(part))?;
    }
    let sources = format!("deb {} {SUITE} main\n", debian_mirror()?);
    fs::write(apt.join("sources.list"), sources).context("apt's sources cannot be written")?;
    run_quietly(apt_get(&apt).arg("update"))?;
    run_quietly(
        apt_get(&apt)
            .arg("download")
            .args(PLUGINS)
            .current_dir(&apt),
    )?;
    let plugins = folder.join("cli-plugins");
    create_private_folder(&plugins)?;
    for entry in fs::read_dir(&apt).context("the downloaded files cannot be read")? {
        let archive = entry.context("the downloaded files cannot be read")?.path();
        if archive
            .extension()
            .is_some_and(|extension| extension == "deb")
        {
            let unpack = [
                "--extract".into(),
                archive.into_os_string(),
                apt.join("root").into(),
            ];
            run_quietly(Command::new("dpkg-deb").args(unpack))?;
        }
    }
    for plugin in PLUGINS {
        let from = apt.join("root/usr/libexec/docker/cli-plugins").join(plugin);
        fs::rename(&from, plugins.join(plugin))
            .with_context(|| format!("the package has no {}", from.display()))?;
    }
    fs::remove_dir_all(&apt).context("the downloaded files cannot be removed")
}

fn apt_get(apt: &Path) -> Command {
    let options = [
        format!("Dir::State={}", apt.join("state").display()),
        // Without the state of the system: no package counts as installed.
        "Dir::State::status=/dev/null".to_owned(),
        format!("Dir::Cache={}", apt.join("cache").display()),
        format!(
            "Dir::Etc::sourcelist={}",
            apt.join("sources.list").display()
        ),
        "Dir::Etc::sourceparts=/dev/null".to_owned(),
        "APT::Sandbox::User=root".to_owned(),
        "Acquire::Languages=none".to_owned(),
    ];
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    for option in options {
        command.args([OsString::from("--option"), option.into()]);
    }
    command
}
