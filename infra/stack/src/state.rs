//! The state file of a running stack, by which other commands find it.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::Context;
use serde::Deserialize;
use serde::Serialize;

use crate::home::Home;
use crate::home::write_private;
use crate::process::ProcessId;
use crate::settings::Settings;

/// The contents of `state.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct State {
    /// How the stack was started.
    pub(crate) settings: Settings,
    /// Where its binaries are.
    pub(crate) binaries: PathBuf,
    /// The supervising process.
    pub(crate) supervisor: ProcessId,
    /// The processes by name.
    pub(crate) processes: BTreeMap<String, ProcessId>,
    /// Whether all of them have been seen ready.
    pub(crate) ready: bool,
}

impl State {
    /// Reads the state of a folder, if one was written there.
    pub(crate) fn read(home: &Home) -> anyhow::Result<Option<Self>> {
        let path = home.state();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("{} cannot be read", path.display()));
            }
        };
        serde_json::from_slice(&bytes).map(Some).with_context(|| {
            format!(
                "{} was written by another version: stop its processes, remove that file, start again",
                path.display()
            )
        })
    }

    /// Writes it in place of what was there.
    pub(crate) fn write(&self, home: &Home) -> anyhow::Result<()> {
        let bytes = serde_json::to_vec_pretty(self).context("the state cannot be put in JSON")?;
        write_private(&home.state(), &bytes)
    }

    /// Removes it.
    pub(crate) fn remove(home: &Home) -> anyhow::Result<()> {
        match fs::remove_file(home.state()) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).context("the state file cannot be removed")
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// The state of the stack that runs in a folder.
    ///
    /// # Errors
    /// When none runs there; names the command that starts one.
    pub(crate) fn running(home: &Home) -> anyhow::Result<Self> {
        let state = Self::read(home)?.filter(Self::is_alive);
        state.with_context(|| {
            format!(
                "no stack runs in {}: start one with `cargo stack up`",
                home.root().display()
            )
        })
    }

    /// Whether a process of it still runs.
    pub(crate) fn is_alive(&self) -> bool {
        self.supervisor.is_alive() || self.processes.values().any(|process| process.is_alive())
    }
}
