//! The importer of a running stack: its port, its CA, a demo clinician's account, and the mapping of ids.

use anyhow::Context;
use https_client::HttpsClient;
use import::IdMapping;
use import::Importer;
use progress::Progress;

use crate::accounts::Accounts;
use crate::accounts::Organization;
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

/// The mapping of ids for imports into an organization (the first one unless named), whose secret is beside the journal
/// of imports. `source` is the URI of the system that assigned the ids.
///
/// # Errors
/// When the stack has no such organization, the secret cannot be read or made, or `source` is no URI.
pub fn id_mapping(
    home: &Home,
    organization: Option<&str>,
    source: Option<&str>,
) -> anyhow::Result<IdMapping> {
    let accounts = Accounts::existing(home)?;
    let clinician = accounts.person("clinician", organization)?;
    let has_clinician = |it: &&Organization| {
        it.people
            .iter()
            .any(|person| person.email == clinician.email)
    };
    let organization = accounts
        .organizations
        .iter()
        .find(has_clinician)
        .context("the account belongs to no organization")?;
    // By name, as the accounts are provisioned: the id is not always known on this machine.
    IdMapping::open(&home.imports().join("ids"), &organization.name, source)
}
