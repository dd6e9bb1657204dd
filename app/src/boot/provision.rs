//! `app provision`: creates organizations and people, for a first start.
//!
//! The input is JSON. Organizations and people that exist stay as they are, so it may be run again:
//!
//! ```text
//! {"organizations": [{
//!   "name": "…",
//!   "people": [{"name": "…", "email": "…", "password": "…", "role": "…", "totp": "…"}],
//!   "clients": [{"id": "…", "name": "…", "scopes": "system/*.rs", "jwks": {"keys": […]}}]
//! }]}
//! ```
//!
//! `totp` is the key of an authenticator app in base32 (RFC 6238: SHA-1, six digits, 30 seconds). It may be left out: then a
//! person whose role needs a second factor sets up a passkey or an app at the first sign-in. `id` is the client id of a machine client, a random
//! UUID; `jwks` has its public keys.

use access::Scopes;
use anyhow::Context as _;
use fhir::ResourceType;
use phi::JwkSet;
use phi::PersonId;
use phi::TotpKey;
use secrecy::ExposeSecret as _;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use crate::http::state::AppState;
use crate::services::identity::NewClient;
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
    #[serde(default)]
    clients: Vec<ClientInput>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientInput {
    id: PersonId,
    name: String,
    scopes: String,
    jwks: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonInput {
    name: String,
    email: String,
    password: SecretString,
    role: String,
    totp: Option<SecretString>,
}

/// Creates the organizations, people and machine clients of `input` that do not exist. The result contains the
/// organizations' ids.
///
/// # Errors
///
/// Input that is malformed, or an organization, person or client that cannot be created; those created
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
            let totp = person.totp.as_ref().map(totp_key).transpose()?;
            let new = NewPerson {
                name: person.name,
                email: person.email,
                password: person.password,
                role,
                totp,
            };
            app.identity.add(id, new).await?;
        }
        for client in organization.clients {
            let name = client.name.clone();
            let new = new_client(client).with_context(|| format!("the client {name}"))?;
            app.identity.add_client(id, new).await?;
        }
        organizations.push(json!({ "id": id, "name": organization.name }));
    }
    Ok(json!({ "organizations": organizations }))
}

fn new_client(client: ClientInput) -> anyhow::Result<NewClient> {
    let scopes = Scopes::parse(&client.scopes, |name| name.parse::<ResourceType>().is_ok());
    anyhow::ensure!(!scopes.is_empty(), "it has no scope of this server");
    Ok(NewClient {
        id: client.id,
        name: client.name,
        scopes,
        keys: JwkSet::parse(&client.jwks.to_string()).context("a member `jwks`")?,
    })
}

fn totp_key(text: &SecretString) -> anyhow::Result<TotpKey> {
    TotpKey::from_base32(text.expose_secret())
        .context("a member `totp` is not a key of 16 to 64 bytes in base32")
}
