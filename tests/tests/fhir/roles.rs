//! The statuses that each role gets for each interaction with each class of resources. The reviewed table is
//! `roles.txt`; `STACK_REWRITE_TABLES=1` lets the test write it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde_json::Value;
use serde_json::json;
use tests::Client;
use tests::Clinic;
use tests::Role;
use tests::TestResponse;
use tests::fhir;

use super::api::JSON_PATCH;
use super::api::clinician;
use super::api::path;
use super::api::put;
use super::api::send;
use super::api::statuses;
use super::api::store;
use super::api::unique_word;

/// A column of the table: a role of an organization, or a client without a token.
const CALLERS: [(&str, Option<(Role, Clinic)>); 7] = [
    ("clinician", Some((Role::Clinician, Clinic::Riverside))),
    ("front_desk", Some((Role::FrontDesk, Clinic::Riverside))),
    (
        "privacy_officer",
        Some((Role::PrivacyOfficer, Clinic::Riverside)),
    ),
    (
        "security_admin",
        Some((Role::SecurityAdmin, Clinic::Riverside)),
    ),
    ("service", Some((Role::Service, Clinic::Riverside))),
    ("elsewhere", Some((Role::Clinician, Clinic::Lakeside))),
    ("anonymous", None),
];

/// One resource type of each class, and of each kind of owner.
const KINDS: [&str; 6] = [
    "Patient",
    "RelatedPerson",
    "Observation",
    "Coverage",
    "Practitioner",
    "Group",
];

const INTERACTIONS: [&str; 18] = [
    "create",
    "create by PUT",
    "read",
    "HEAD",
    "vread",
    "history",
    "type history",
    "search by POST",
    "search by GET",
    "update",
    "stale update",
    "patch",
    "batch write",
    "batch read",
    "batch search",
    "transaction",
    "conditional create",
    "delete",
];

/// A new resource of a type, about a patient where it has one.
fn resource(kind: &str, patient: &Value) -> Value {
    let about = json!({"reference": fhir::reference(patient)});
    let mut resource = match kind {
        "Patient" => return fhir::patient(),
        "RelatedPerson" => json!({"patient": about, "name": [{"family": "Probe"}]}),
        "Observation" => return fhir::observation(patient),
        "Coverage" => json!({"status": "active", "beneficiary": about, "payor": [about]}),
        "Practitioner" => return super::api::practitioner(),
        _ => json!({"type": "person", "actual": true, "member": [{"entity": about}]}),
    };
    resource["resourceType"] = json!(kind);
    resource["id"] = json!(fhir::random_id());
    resource
}

/// The response to one entry of a Bundle, as a status.
async fn of_bundle(client: &Client, kind: &str, entry: Value) -> anyhow::Result<String> {
    let bundle = json!({"resourceType": "Bundle", "type": kind, "entry": [entry]});
    let done = client.bundle(&bundle).await?;
    if done.status != 200 {
        return Ok(done.status.as_str().to_owned());
    }
    Ok(statuses(&done.json()?).concat())
}

/// A stored resource, with what the interactions need beside it.
struct Probe {
    kind: String,
    /// The patient of both resources.
    patient: Value,
    stored: Value,
    /// A resource of the same type that is not stored.
    new: Value,
    /// The search that finds the stored resource.
    query: String,
}

impl Probe {
    /// Stores a new resource of a type.
    async fn stored(owner: &Client, kind: &str) -> anyhow::Result<Self> {
        let patient = fhir::patient();
        let mut stored = resource(kind, &patient);
        stored["id"] = if kind == "Patient" {
            patient["id"].clone()
        } else {
            stored["id"].clone()
        };
        store(
            owner,
            &[&patient, &stored][usize::from(kind == "Patient")..],
        )
        .await?;
        let query = if matches!(kind, "Practitioner" | "Group" | "Patient") {
            format!("_id={}", fhir::id(&stored))
        } else {
            format!("patient={}", fhir::id(&patient))
        };
        Ok(Self {
            kind: kind.to_owned(),
            new: resource(kind, &patient),
            patient,
            stored,
            query,
        })
    }

    /// The type of Bundle and the entry of an interaction inside a Bundle.
    fn entry(&self, interaction: &str) -> Option<(&'static str, Value)> {
        let kind = &self.kind;
        let reference = fhir::reference(&self.stored);
        let entry = match interaction {
            "batch write" | "transaction" => json!({
                "request": {"method": "PUT", "url": reference}, "resource": self.stored
            }),
            "batch read" => json!({"request": {"method": "GET", "url": reference}}),
            "batch search" => {
                let url = format!("{kind}?{}", self.query);
                json!({"request": {"method": "GET", "url": url}})
            }
            "conditional create" => {
                let condition = format!("identifier=http://example.org/roles|{}", unique_word());
                let request = json!({"method": "POST", "url": kind, "ifNoneExist": condition});
                json!({"request": request, "resource": self.new})
            }
            _ => return None,
        };
        let is_batch = interaction.starts_with("batch");
        Some((if is_batch { "batch" } else { "transaction" }, entry))
    }

    /// The response to an interaction by a request of its own.
    async fn response(&self, client: &Client, interaction: &str) -> anyhow::Result<TestResponse> {
        let (kind, query) = (&self.kind, &self.query);
        let path = path(&self.stored);
        match interaction {
            "create" => {
                send(
                    client,
                    "POST",
                    &format!("/fhir/{kind}"),
                    &[],
                    Some(&self.new),
                )
                .await
            }
            "create by PUT" => put(client, &self.new).await,
            "read" => client.get(&path).await,
            "HEAD" => send(client, "HEAD", &path, &[], None).await,
            "vread" => client.get(&format!("{path}/_history/1")).await,
            "history" => client.get(&format!("{path}/_history")).await,
            "type history" => {
                let id = fhir::id(&self.patient);
                client
                    .get(&format!("/fhir/{kind}/_history?patient={id}"))
                    .await
            }
            "search by POST" => {
                let (name, value) = query.split_once('=').unwrap_or_default();
                client
                    .form(&format!("/fhir/{kind}/_search"), &[(name, value)])
                    .await
            }
            "search by GET" => client.get(&format!("/fhir/{kind}?{query}")).await,
            "update" => put(client, &self.stored).await,
            "stale update" => {
                let headers = [("if-match", "W/\"9\"")];
                send(client, "PUT", &path, &headers, Some(&self.stored)).await
            }
            "patch" => {
                let operations = json!([{"op": "add", "path": "/language", "value": "en"}]);
                let headers = [("content-type", JSON_PATCH)];
                send(client, "PATCH", &path, &headers, Some(&operations)).await
            }
            "delete" => send(client, "DELETE", &path, &[], None).await,
            other => anyhow::bail!("{other}: no such interaction"),
        }
    }
}

/// The status of an interaction with a new resource, which the clinician stored.
async fn status(
    (client, owner): (&Client, &Client),
    interaction: &str,
    kind: &str,
) -> anyhow::Result<String> {
    let probe = Probe::stored(owner, kind).await?;
    if let Some((bundle, entry)) = probe.entry(interaction) {
        return of_bundle(client, bundle, entry).await;
    }
    let response = probe.response(client, interaction).await?;
    let hidden = ["Testperson", "Wilhelmina", "Quirin", "Probe"];
    let text = response.text();
    let is_shown = hidden.iter().any(|value| text.contains(value));
    anyhow::ensure!(
        response.status.is_success() || !is_shown,
        "{interaction} {kind}: {text}"
    );
    let total = response.json().ok().and_then(|body| body["total"].as_u64());
    let total = total.map(|total| format!("({total})")).unwrap_or_default();
    Ok(format!("{}{total}", response.status.as_str()))
}

/// The table: a line for each type and interaction, a column for each caller.
async fn table() -> anyhow::Result<String> {
    let (running, owner) = clinician().await?;
    let mut clients = Vec::new();
    for (_, caller) in CALLERS {
        clients.push(match caller {
            Some((role, clinic)) => running.sign_in(role, clinic).await?,
            None => running.anonymous(),
        });
    }
    let mut table = format!("{:<34}", "");
    for (name, _) in CALLERS {
        write!(table, "{name:<16}")?;
    }
    for kind in KINDS {
        for interaction in INTERACTIONS {
            write!(table, "\n{:<34}", format!("{kind} {interaction}"))?;
            let cells = clients
                .iter()
                .map(|client| status((client, &owner), interaction, kind));
            for cell in futures::future::join_all(cells).await {
                write!(table, "{:<16}", cell?)?;
            }
        }
        table.push('\n');
    }
    let lines = table.lines().map(str::trim_end);
    Ok(lines.collect::<Vec<_>>().join("\n") + "\n")
}

#[tokio::test]
async fn every_role_gets_what_the_reviewed_table_says() -> anyhow::Result<()> {
    let found = table().await?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fhir/roles.txt");
    if std::env::var_os("STACK_REWRITE_TABLES").is_some() {
        return fs::write(&path, found).context("the table cannot be written");
    }
    let reviewed = fs::read_to_string(&path).context("the table cannot be read")?;
    let differing = reviewed
        .lines()
        .zip(found.lines())
        .filter(|(one, other)| one != other);
    let differing: Vec<_> = differing
        .map(|(one, other)| format!("- {one}\n+ {other}"))
        .collect();
    assert!(
        reviewed == found,
        "the table differs:\n{}",
        differing.join("\n")
    );
    Ok(())
}
