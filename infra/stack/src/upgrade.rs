//! `cargo stack upgrade`: the first and the last step of a rolling upgrade. Between them, the instances of app and then
//! of web are replaced one at a time.

use anyhow::Context;
use clap::Subcommand;

use crate::environment;
use crate::home::Home;
use crate::state::State;
use tools::binaries;

/// A step of a rolling upgrade.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Upgrade {
    /// Applies the migrations of this tree to the running stack, whose app keeps serving
    ///
    /// Example: `cargo stack upgrade schema`, then `cargo stack down` and `cargo stack up`
    Schema,
    /// Raises the release floor to the release of the running app: older builds cannot write any more, and this cannot be
    /// undone
    ///
    /// Example: `cargo stack upgrade finish`; may be repeated
    Finish,
}

/// Takes a step on the stack that runs in a folder and returns the text for the terminal.
///
/// # Errors
/// When none runs there, or the step fails: then nothing changed, or the step may be repeated.
pub async fn run(home: &Home, step: Upgrade) -> anyhow::Result<String> {
    let state = State::running(home)?;
    match step {
        Upgrade::Schema => {
            let folder = binaries::obtain_only(&["migrate"], state.settings.options.release)?;
            let migrate = environment::migrate(&state.settings, home, &folder);
            migrate.run().await.context("the migrations failed")?;
            Ok("the schema and the grants are those of this tree\n".to_owned())
        }
        Upgrade::Finish => {
            let arguments = ["finish".into()];
            let app = environment::app(&state.settings, home, &state.binaries, &arguments)?;
            app.run().await.context("the upgrade is not finished")
        }
    }
}
