//! `app provision`: creates organizations and people, for a first start.
//!
//! The input is JSON. Organizations and people that exist stay as they are, so it may be run again:
//!
//! ```text
//! {"organizations": [{"name": "…", "people": [{"name": "…", "email": "…", "password": "…", "role": "…"}]}]}
//! ```

use std::sync::Arc;

use anyhow::Context as _;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use crate::http::state::AppState;
use crate::services::identity::NewPerson;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProvisionInput {
    organizations: Vec<OrganizationInput>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OrganizationInput {
    name: String,
    people: Vec<PersonInput>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonInput {
    name: String,
    email: String,
    password: SecretString,
    role: String,
}

/// Creates the organizations and people of `input` that do not exist. The result contains the
/// organizations' ids.
///
/// # Errors
///
/// Input that is malformed, or an organization or person that cannot be created; those created
/// before stay.
pub(crate) async fn provision(app: &AppState, input: &str) -> anyhow::Result<Value> {
    // The parser's own message may quote the input, which contains passwords.
    let input: ProvisionInput = serde_json::from_str(input)
        .map_err(|error| anyhow::anyhow!("line {}, column {}", error.line(), error.column()))
        .context("standard input does not have the JSON form that `app provision` reads")?;
    app.organizations.ensure_system().await?;
    let mut organizations = Vec::new();
    for organization in input.organizations {
        let id = app.organizations.ensure(&organization.name).await?;
        for person in organization.people {
            let role = person.role.parse()?;
            let new = NewPerson {
                name: person.name,
                email: person.email,
                password: Arc::new(person.password),
                role,
            };
            app.identity.add(id, new).await?;
        }
        organizations.push(json!({ "id": id, "name": organization.name }));
    }
    Ok(json!({ "organizations": organizations }))
}
