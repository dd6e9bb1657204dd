//! The command `docker`.

use std::process::Command;
use std::process::Stdio;

use crate::process::Variables;

/// A `docker` command with the variables of an engine.
pub(super) fn docker(environment: &Variables, arguments: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command
        .args(arguments)
        .envs(environment.iter().map(|(name, value)| (name, value)));
    command
}

/// Whether a command succeeds; its output is discarded.
pub(super) fn succeeds(mut command: Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
