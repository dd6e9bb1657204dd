//! Packages of the system: installed when they are missing, and only after saying so.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context;
use anyhow::bail;

use progress::Progress;

/// The path of a program, installed first if it is missing.
///
/// # Errors
/// See [`install`].
pub fn program(name: &str, packages: &[&str], progress: Progress) -> anyhow::Result<PathBuf> {
    if let Some(found) = find(name) {
        return Ok(found);
    }
    install(packages, progress)?;
    find(name).with_context(|| format!("{} has no program `{name}`", packages.join(" and ")))
}

/// The path of a program, if `PATH` has it, or a folder of Debian's servers, which a user's path may lack.
#[must_use]
pub fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/bin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// Installs Debian packages.
///
/// # Errors
/// Without the rights, or without apt: says which command to run.
pub fn install(packages: &[&str], progress: Progress) -> anyhow::Result<()> {
    let command_line = format!(
        "apt-get install --no-install-recommends {}",
        packages.join(" ")
    );
    if Command::new("apt-get")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        bail!(
            "{} must be installed, and this system has no apt-get: install what corresponds to it \
             by the package manager of your system, then run this again",
            packages.join(" and ")
        );
    }
    if !nix::unistd::geteuid().is_root() {
        bail!(
            "{} must be installed first: run `sudo {command_line}`",
            packages.join(" and ")
        );
    }
    let step = progress.step(&format!(
        "installing {} ({command_line})",
        packages.join(", ")
    ));
    let apt_get = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(arguments);
        command
    };
    let mut installation = vec!["install", "--yes", "--no-install-recommends"];
    installation.extend(packages);
    // A machine that was never updated has no lists, and one that was long ago has stale ones.
    let installed = run_quietly(&mut apt_get(&["update"]))
        .and_then(|()| run_quietly(&mut apt_get(&installation)));
    installed.with_context(|| format!("`{command_line}` failed: run it by hand to see more"))?;
    step.done();
    Ok(())
}

/// The Debian mirror that this system's apt uses.
///
/// # Errors
/// When apt knows none.
pub fn debian_mirror() -> anyhow::Result<String> {
    let output = Command::new("apt-get")
        .args([
            "indextargets",
            "--format",
            "$(REPO_URI) $(LABEL)",
            "Created-By: Packages",
        ])
        .output()
        .context("apt-get cannot be started: this needs a Debian system")?;
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    listed
        .lines()
        .filter_map(|line| line.split_once(' '))
        .find_map(|(address, label)| (label == "Debian").then(|| address.to_owned()))
        .context("apt knows no Debian mirror: add one to its sources, then run `apt-get update`")
}

/// Runs a command and shows its output only when it fails.
///
/// # Errors
/// When it cannot be started, or fails: the last lines of its standard error.
pub fn run_quietly(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{name} cannot be started: is it installed?"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let lines: Vec<&str> = stderr.lines().collect();
        let tail = lines.len().saturating_sub(15);
        bail!(
            "{name} ended with {}:\n{}",
            output.status,
            lines.split_at(tail).1.join("\n")
        );
    }
    Ok(())
}
