//! The importer of a running stack: its port, its CA, and a demo clinician's account.

use anyhow::Context;
use https_client::HttpsClient;
use import::Importer;
use progress::Progress;

use crate::accounts::Accounts;
use crate::home::Home;
use crate::state::State;

/// An importer that signs in as the demo clinician of an organization (the first one unless named).
///
/// # Errors
/// When no stack runs in the folder, or it has no such account.
pub fn importer(
    home: &Home,
    organization: Option<&str>,
    progress: Progress,
) -> anyhow::Result<Importer> {
    let state = State::read(home)?.context("no stack runs: start one with `cargo stack up`")?;
    let accounts = Accounts::existing(home)?;
    let clinician = accounts.person("clinician", organization)?;
    let port = state.settings.options.ports.web;
    let client = HttpsClient::new(port, &home.certificate("public/ca.pem"))?;
    Ok(Importer::new(
        client,
        clinician.credentials(),
        home.imports(),
        progress,
    ))
}
