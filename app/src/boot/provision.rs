//! `app provision`: makes organizations and people, for a first start.
//!
//! Reads JSON from standard input; what is there already stays as it is, so it may be run again:
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
struct Wanted {
    organizations: Vec<WantedOrganization>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedOrganization {
    name: String,
    people: Vec<WantedPerson>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedPerson {
    name: String,
    email: String,
    password: SecretString,
    role: String,
}

/// Makes what `input` asks for and tells the organizations' ids.
///
/// # Errors
///
/// What cannot be read or done; what was made before stays.
pub(crate) async fn provision(app: &AppState, input: &str) -> anyhow::Result<Value> {
    let wanted: Wanted = serde_json::from_str(input)
        .map_err(|error| anyhow::anyhow!("line {}, column {}", error.line(), error.column()))
        .context("standard input is not the JSON that `app provision` reads")?;
    app.organizations.ensure_system().await?;
    let mut made = Vec::new();
    for organization in wanted.organizations {
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
        made.push(json!({ "id": id, "name": organization.name }));
    }
    Ok(json!({ "organizations": made }))
}
