//! The demo organizations with people and machine clients. Passwords and the keys of authenticator apps are random, generated
//! at the first start, and kept in a file of mode 0600.

use std::fs;
use std::io::ErrorKind;
use std::process::Stdio;

use anyhow::Context;
use anyhow::bail;
use https_client::ClientCredentials;
use https_client::ClientKey;
use https_client::Credentials;
use https_client::TotpKey;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use uuid::Builder;

use crate::home::Home;
use crate::home::invalid_json;
use crate::home::write_private;
use crate::process::Program;

/// The 31 characters of passwords, almost 5 bits each: without those that look alike.
const ALPHABET: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";

/// The demo organizations and their people, without passwords and keys. Compose reads the same file.
const DEMO: &str = include_str!("../../demo.json");

/// The contents of `demo.json` in a stack's folder, which is also the input of `app provision`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Accounts {
    /// The demo organizations.
    pub organizations: Vec<Organization>,
}

/// A demo organization.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Organization {
    /// Its id, once it has been provisioned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its name.
    pub name: String,
    /// The people who can sign in.
    pub people: Vec<Person>,
    /// The machine clients.
    #[serde(default)]
    pub clients: Vec<MachineClient>,
}

/// A machine client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MachineClient {
    /// Its client id; drawn at a stack's first start.
    #[serde(default)]
    pub id: String,
    /// Its name.
    pub name: String,
    /// The scopes that it may be granted.
    pub scopes: String,
    /// Its public keys.
    #[serde(default)]
    pub jwks: Value,
    /// Its key pair, which the app does not get; drawn at a stack's first start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<ClientKey>,
}

impl MachineClient {
    /// Client id and key pair.
    ///
    /// # Errors
    /// When it has no key pair.
    pub fn credentials(&self) -> anyhow::Result<ClientCredentials> {
        let key = self.key.clone();
        Ok(ClientCredentials {
            id: self.id.clone(),
            key: key.context("the demo client has no key")?,
        })
    }
}

/// A person who can sign in.
#[derive(Clone, Serialize, Deserialize)]
pub struct Person {
    /// Their name.
    pub name: String,
    /// The e-mail address, with which they sign in.
    pub email: String,
    /// Their password; drawn at a stack's first start.
    #[serde(default)]
    pub password: String,
    /// The key of their authenticator app; drawn at a stack's first start for the roles that need a second factor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totp: Option<TotpKey>,
    /// Their role.
    pub role: String,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Person")
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

impl Person {
    /// E-mail address, password and authenticator app.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        Credentials {
            email: self.email.clone(),
            password: self.password.clone(),
            totp: self.totp.clone(),
        }
    }

    /// Whether the role needs a second factor: all but patients do.
    fn needs_second_factor(&self) -> bool {
        self.role != "patient"
    }
}

impl Accounts {
    /// The accounts of a stack that has been started before.
    ///
    /// # Errors
    /// When it has none yet, or the file cannot be read.
    pub fn existing(home: &Home) -> anyhow::Result<Self> {
        Self::read(home)?.context(
            "the stack has no accounts yet: run `cargo stack up` (or `cargo stack compose up`) first",
        )
    }

    /// Reads the accounts of a stack, if it has any yet.
    ///
    /// # Errors
    /// When the file exists and is not valid JSON of this version.
    pub fn read(home: &Home) -> anyhow::Result<Option<Self>> {
        match fs::read(home.accounts()) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .with_context(|| invalid_json(&home.accounts())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).context("the demo accounts cannot be read"),
        }
    }

    /// The accounts of a stack, made now if this is its first start.
    pub(crate) fn read_or_make(home: &Home) -> anyhow::Result<Self> {
        if let Some(accounts) = Self::read(home)? {
            return Ok(accounts);
        }
        let accounts = Self::make()?;
        accounts.write(home)?;
        Ok(accounts)
    }

    /// The person of a role, in the named organization or in the first that has one.
    ///
    /// # Errors
    /// When there is none; names the roles and organizations that there are.
    pub fn person(&self, role: &str, organization: Option<&str>) -> anyhow::Result<&Person> {
        let found = self
            .organizations
            .iter()
            .filter(|candidate| organization.is_none_or(|wanted| candidate.is(wanted)))
            .flat_map(|organization| &organization.people)
            .find(|person| person.role == role);
        found.with_context(|| {
            let names: Vec<&str> = self.organizations.iter().map(|o| o.name.as_str()).collect();
            let roles: Vec<&str> = self
                .organizations
                .first()
                .map(|o| o.people.iter().map(|person| person.role.as_str()).collect())
                .unwrap_or_default();
            format!(
                "no demo account has that role there; roles: {}; organizations: {}",
                roles.join(", "),
                names.join(", ")
            )
        })
    }

    /// The first machine client of the named organization, or of the first that has one.
    ///
    /// # Errors
    /// When there is none.
    pub fn client(&self, organization: Option<&str>) -> anyhow::Result<&MachineClient> {
        let organizations = self.organizations.iter();
        let mut wanted =
            organizations.filter(|candidate| organization.is_none_or(|name| candidate.is(name)));
        let client = wanted.find_map(|organization| organization.clients.first());
        client.context(
            "no demo client there: a security administrator registers clients at /clients; `cargo stack reset` makes a new \
             stack, with clients",
        )
    }

    /// Hands the accounts to the app, which makes those that are missing, and notes the ids of the
    /// organizations.
    pub(crate) async fn provision(&mut self, app: &Program, home: &Home) -> anyhow::Result<()> {
        let mut wanted = self.clone();
        wanted.organizations.iter_mut().for_each(|organization| {
            organization.id = None;
            let clients = organization.clients.iter_mut();
            clients.for_each(|client| client.key = None);
        });
        let input = serde_json::to_vec(&wanted).context("the accounts cannot be put in JSON")?;
        let mut child = tokio::process::Command::from(app.command())
            .kill_on_drop(true)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} cannot be started", app.path.display()))?;
        if let Some(mut stdin) = child.stdin.take() {
            // If it ended early, its message is more useful than a broken pipe.
            let _ = stdin.write_all(&input).await;
        }
        let output = child
            .wait_with_output()
            .await
            .context("the output of `app provision` cannot be read")?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            bail!("`app provision` failed ({}):\n{stderr}", output.status);
        }
        let made: Provisioned = serde_json::from_slice(&output.stdout)
            .context("the output of `app provision` is not valid JSON of this version")?;
        for organization in &mut self.organizations {
            let found = made
                .organizations
                .iter()
                .find(|made| made.name == organization.name);
            organization.id = found.map(|made| made.id.clone());
        }
        self.write(home)
    }

    fn write(&self, home: &Home) -> anyhow::Result<()> {
        let json = serde_json::to_vec_pretty(self).context("the accounts cannot be put in JSON")?;
        write_private(&home.accounts(), &json)
    }

    /// The demo people, each with a new password, and a new authenticator app where one is needed; and the demo clients, each
    /// with a new key.
    fn make() -> anyhow::Result<Self> {
        let mut accounts: Self = serde_json::from_str(DEMO)
            .context("infra/demo.json is not valid JSON of this version")?;
        let organizations = accounts.organizations.iter_mut();
        for person in organizations.flat_map(|organization| &mut organization.people) {
            person.password = password()?;
            person.totp = person.needs_second_factor().then(totp_key).transpose()?;
        }
        let organizations = accounts.organizations.iter_mut();
        for client in organizations.flat_map(|organization| &mut organization.clients) {
            let key = ClientKey::generate()?;
            client.id = client_id()?;
            client.jwks = key.public_keys()?;
            client.key = Some(key);
        }
        Ok(accounts)
    }
}

impl Organization {
    /// Whether a person means this one: by name, the beginning of it, or id.
    fn is(&self, wanted: &str) -> bool {
        let wanted = wanted.to_lowercase();
        self.id.as_ref().is_some_and(|id| *id == wanted)
            || self.name.to_lowercase().starts_with(&wanted)
    }
}

#[derive(Deserialize)]
struct Provisioned {
    organizations: Vec<ProvisionedOrganization>,
}

#[derive(Deserialize)]
struct ProvisionedOrganization {
    id: String,
    name: String,
}

/// A key of 160 bits.
fn totp_key() -> anyhow::Result<TotpKey> {
    let mut bytes = [0; 20];
    getrandom::fill(&mut bytes).context("the system gives no randomness")?;
    Ok(TotpKey::from_bytes(bytes))
}

/// A random id of a machine client.
fn client_id() -> anyhow::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).context("the system gives no randomness")?;
    Ok(Builder::from_random_bytes(bytes).into_uuid().to_string())
}

/// Four groups of five letters: 99 bits, easily read out and typed.
fn password() -> anyhow::Result<String> {
    let mut letters = String::new();
    let mut pool = [0_u8; 64];
    while letters.len() < 20 {
        getrandom::fill(&mut pool).context("the system gives no randomness")?;
        // Bytes past the largest multiple of 31 would favour some letters.
        let fair = pool.iter().filter(|byte| **byte < 248);
        let chosen = fair.filter_map(|byte| ALPHABET.get(usize::from(byte % 31)));
        letters.extend(
            chosen
                .map(|letter| char::from(*letter))
                .take(20 - letters.len()),
        );
    }
    let groups: Vec<String> = letters
        .as_bytes()
        .chunks(5)
        .map(|group| String::from_utf8_lossy(group).into())
        .collect();
    Ok(groups.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_person_of_the_demo_has_a_password_of_their_own() {
        let accounts = Accounts::make().unwrap();
        let people: Vec<&Person> = accounts
            .organizations
            .iter()
            .flat_map(|organization| &organization.people)
            .collect();
        let passwords: std::collections::BTreeSet<&str> = people
            .iter()
            .map(|person| person.password.as_str())
            .collect();
        assert_eq!(people.len(), 8);
        assert_eq!(passwords.len(), 8);
        assert!(passwords.iter().all(|password| password.len() == 23));
        assert!(people.iter().all(|person| person.totp.is_some()));
    }

    #[test]
    fn each_client_of_the_demo_has_an_id_and_a_key_of_its_own() {
        let accounts = Accounts::make().unwrap();
        let organizations = accounts.organizations.iter();
        let clients: Vec<_> = organizations.flat_map(|it| &it.clients).collect();
        let distinct = |of: fn(&MachineClient) -> String| {
            let all = clients.iter().map(|client| of(client));
            all.collect::<std::collections::BTreeSet<_>>().len()
        };
        assert_eq!(clients.len(), 3);
        assert_eq!(distinct(|client| client.id.clone()), 3);
        assert_eq!(distinct(|client| client.jwks.to_string()), 3);
        let lakeside = accounts.client(Some("lake")).unwrap();
        let public = lakeside.credentials().unwrap().key.public_keys().unwrap();
        assert_eq!(public, lakeside.jwks);
    }

    #[test]
    fn compose_has_the_same_people_with_passwords_of_their_own() {
        let root = tools::workspace::root().unwrap();
        let demo = fs::File::open(root.join("infra/demo.json")).unwrap();
        let output = std::process::Command::new("sh")
            .arg(root.join("infra/compose/sign-ins.sh"))
            .stdin(demo)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let compose: Accounts = serde_json::from_slice(&output.stdout).unwrap();
        let without_passwords = |mut accounts: Accounts| {
            let organizations = accounts.organizations.iter_mut();
            let people = organizations.flat_map(|organization| &mut organization.people);
            let mut passwords = Vec::new();
            for person in people {
                passwords.push(std::mem::take(&mut person.password));
                let code = person.totp.take().map(|totp| totp.code(0).unwrap());
                assert_eq!(code.is_some(), person.needs_second_factor());
            }
            // Compose has no clients: its setup makes no keys of them.
            let organizations = accounts.organizations.iter_mut();
            organizations.for_each(|organization| organization.clients.clear());
            (serde_json::to_value(accounts).unwrap(), passwords)
        };
        let (compose, passwords) = without_passwords(compose);
        assert_eq!(compose, without_passwords(Accounts::make().unwrap()).0);
        let distinct: std::collections::BTreeSet<_> = passwords.iter().collect();
        assert_eq!(distinct.len(), 8);
        assert!(passwords.iter().all(|password| password.len() == 30));
    }

    #[test]
    fn a_person_is_found_by_role_and_the_beginning_of_an_organizations_name() {
        let accounts = Accounts::make().unwrap();
        let person = accounts.person("clinician", Some("lake")).unwrap();
        assert_eq!(person.email, "clinician@lakeside.example");
        let error = accounts.person("janitor", None).unwrap_err().to_string();
        assert!(
            error.contains("front_desk") && error.contains("Riverside"),
            "{error}"
        );
    }
}
