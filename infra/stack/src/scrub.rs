//! Comparing what a running stack has stored with its audit log.

use anyhow::Context;

use crate::environment;
use crate::home::Home;
use crate::state::State;

/// Runs `app scrub` on the stack that runs in a folder; what is to be printed.
///
/// # Errors
/// When none runs there, when rows are not as they were written, or when they cannot be compared.
pub async fn scrub(home: &Home) -> anyhow::Result<String> {
    let state = State::running(home)?;
    let arguments = ["scrub".into()];
    let app = environment::app(&state.settings, home, &state.binaries, &arguments)?;
    let compared = app.run().await;
    compared.context("rows are not as they were written, or cannot be compared")
}
