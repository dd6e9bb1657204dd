//! Cargo's own runs, their output shown as it comes.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Stdio;

use anyhow::Context;
use anyhow::bail;
use tokio::io::AsyncBufReadExt;
use tokio::io::BufReader;
use tokio::process::Command;

use super::step::Counts;
use super::step::StepResult;
use tools::workspace;

/// Variables of a run.
pub(super) type Variables<'a> = [(&'a str, OsString)];

/// A cargo run that passes or fails as a whole.
pub(super) async fn check(root: &Path, arguments: &[&str]) -> anyhow::Result<StepResult> {
    let status = cargo(root, arguments)
        .status()
        .await
        .context("cargo cannot be started")?;
    if !status.success() {
        bail!("`cargo {}` found something: see above", arguments.join(" "));
    }
    Ok(StepResult::Done(Counts::default()))
}

/// The same with a part of the toolchain that may not be installed.
pub(super) async fn component(
    root: &Path,
    name: &str,
    arguments: &[&str],
) -> anyhow::Result<StepResult> {
    let mut probe = cargo(root, &[name, "--version"]);
    probe.stderr(Stdio::null()).stdout(Stdio::null());
    let found = probe.status().await.context("cargo cannot be started")?;
    if !found.success() {
        return Ok(StepResult::Skipped(format!(
            "this toolchain has no `cargo {name}`"
        )));
    }
    check(root, arguments).await
}

/// `cargo test` with these arguments; counts what its result lines say.
pub(super) async fn test(
    root: &Path,
    arguments: &[&str],
    variables: &Variables<'_>,
) -> anyhow::Result<StepResult> {
    let mut command = cargo(root, &["test", "--workspace", "--no-fail-fast"]);
    command.args(arguments);
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    let name = format!("cargo test {}", arguments.join(" "));
    Ok(StepResult::Done(counted(&mut command, &name).await?))
}

/// Runs a command, shows its output as it is printed, and counts the tests of its result lines.
///
/// # Errors
/// When the command fails without naming a failed test.
pub(super) async fn counted(command: &mut Command, name: &str) -> anyhow::Result<Counts> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("`{name}` cannot be started"))?;
    let stdout = child
        .stdout
        .take()
        .with_context(|| format!("the output of `{name}` cannot be read"))?;
    let mut lines = BufReader::new(stdout).split(b'\n');
    let mut counts = Counts::default();
    while let Some(line) = lines
        .next_segment()
        .await
        .with_context(|| format!("the output of `{name}` was cut off"))?
    {
        let line = String::from_utf8_lossy(&line);
        if let Some(more) = Counts::of_line(&line) {
            counts.add(more);
        }
        println!("{line}");
    }
    let status = child
        .wait()
        .await
        .with_context(|| format!("the exit status of `{name}` cannot be read"))?;
    if !status.success() && counts.failed == 0 {
        bail!("`{name}` failed ({status}): see above");
    }
    Ok(counts)
}

/// The names of the test files of a folder; none if there is no such folder.
pub(super) fn test_files(folder: &Path) -> anyhow::Result<Vec<String>> {
    let entries = match folder.read_dir() {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(error).with_context(|| format!("{} cannot be read", folder.display()));
        }
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".rs")?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

/// The arguments that choose these test files, in whichever crate they are.
pub(super) fn only(names: &[String]) -> Vec<&str> {
    names.iter().flat_map(|name| ["--test", name]).collect()
}

fn cargo(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(workspace::cargo());
    command
        .current_dir(root)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}
