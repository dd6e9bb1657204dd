//! `cargo stack scrub`: the comparison of every stored row with the audit log.

use anyhow::Context;

use crate::environment;
use crate::home::Home;
use crate::state::State;

/// Runs `app scrub` on the stack that runs in a folder and returns its output.
///
/// # Errors
/// When none runs there, when a row differs from the log, or when rows cannot be compared.
pub async fn scrub(home: &Home) -> anyhow::Result<String> {
    let state = State::running(home)?;
    let arguments = ["scrub".into()];
    let app = environment::app(&state.settings, home, &state.binaries, &arguments)?;
    let compared = app.run().await;
    compared.context("a row differs from the audit log, or rows cannot be compared")
}
