//! The commands of a running stack's programs, for tests that start one with other variables.

use std::ffi::OsString;
use std::process::Command;

use anyhow::Context;
use anyhow::bail;

use crate::environment;
use crate::home::Home;
use crate::state::State;

/// The command that starts `web`, `app` or `migrate` of the stack that runs in a folder, with its variables.
///
/// # Errors
/// When no stack runs there, or there is no such program.
pub fn command(home: &Home, name: &str, arguments: &[OsString]) -> anyhow::Result<Command> {
    let state = State::read(home)?.context("no stack runs in this folder")?;
    let (settings, binaries) = (&state.settings, &state.binaries);
    let mut program = match name {
        "web" => environment::web(settings, home, binaries),
        "app" => environment::app(settings, home, binaries, arguments)?,
        "migrate" => environment::migrate(settings, home, binaries),
        _ => bail!("there is no program `{name}`; there are web, app and migrate"),
    };
    program.arguments = arguments.to_vec();
    Ok(program.command())
}
