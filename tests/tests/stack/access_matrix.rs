//! Every operation of the API and of the pages, with every role, inside and outside a care team and an organization.
//!
//! The result is compared with the reviewed table `tests/data/access_matrix.txt`. A cell is `yes` for a request that the
//! policy permits, `-` for 403, and the status for 303, 400, 404 and 410.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use bytes::Bytes;
use http::Request;
use http::header;
use serde_json::Value;
use serde_json::json;
use tests::Client;
use tests::Role;
use tests::RunningStack;
use tests::fhir;
use uuid::Uuid;

use super::closed_clinic::ClosedClinic;
use super::enrolled_account::sign_in;
use super::enrolled_account::with_token;
use super::machine_client_tokens::token_of;
use super::machine_clients::register;

/// A resource type of each data class.
const TYPES: [&str; 5] = [
    "Patient",
    "Observation",
    "Coverage",
    "Group",
    "Practitioner",
];

/// Operations that end the session of the request.
const ENDING: [&str; 2] = ["pages.sign_out", "workflow.end_token"];

/// The reviewed table.
const REVIEWED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/access_matrix.txt");

/// The requests of the table: a stored resource of each type, in one chart or of one organization.
struct Samples {
    patient: Uuid,
    resources: HashMap<&'static str, Value>,
}

impl Samples {
    async fn store(clinic: &ClosedClinic) -> anyhow::Result<Self> {
        let patient = fhir::reference(&clinic.patient);
        let coverage = json!({
            "resourceType": "Coverage",
            "id": fhir::random_id(),
            "status": "active",
            "beneficiary": {"reference": patient},
            "payor": [{"reference": patient}],
        });
        let group = json!({
            "resourceType": "Group",
            "id": fhir::random_id(),
            "type": "person",
            "actual": true,
            "member": [{"entity": {"reference": patient}}],
        });
        let practitioner = json!({
            "resourceType": "Practitioner",
            "id": fhir::random_id(),
            "name": [{"family": "Matrix"}],
        });
        let new = fhir::transaction(&[&coverage, &group, &practitioner]);
        clinic.member.bundle(&new).await?.expect_status(200)?;
        Ok(Self {
            patient: clinic.patient_id(),
            resources: HashMap::from([
                ("Patient", clinic.patient.clone()),
                ("Observation", clinic.observation.clone()),
                ("Coverage", coverage),
                ("Group", group),
                ("Practitioner", practitioner),
            ]),
        })
    }

    /// The id in a path.
    fn id(&self, path: &str, resource_type: Option<&str>) -> Uuid {
        match resource_type {
            Some(name) => fhir::id(&self.resources[name]),
            None if path.contains("/patients/") => self.patient,
            None => Uuid::from_u128(7),
        }
    }

    /// The parameters of a search.
    fn query(&self, resource_type: &str) -> String {
        match resource_type {
            "Observation" | "Coverage" => format!("patient={}", self.patient),
            name => format!("_id={}", fhir::id(&self.resources[name])),
        }
    }

    /// The media type and the body of an operation's request.
    fn body(&self, operation: &str, resource_type: Option<&str>) -> (&'static str, String) {
        let form = |text: &str| ("application/x-www-form-urlencoded", text.to_owned());
        let json = |value: Value| ("application/json", value.to_string());
        let resource = resource_type.map(|name| self.resources[name].clone());
        let parameters = json!({"resourceType": "Parameters"});
        match operation {
            "pages.search" => form("q=matrix"),
            "pages.invite_person" => form("name=&email=a%40b.example&role=clinician"),
            "pages.change_person" | "pages.change_client" => form("active=true"),
            "pages.change_organization" => form("chart_access=care-team"),
            "pages.step_up" => form("code=000000&next=%2F"),
            "pages.step_up_by_passkey" | "pages.add_passkey" => form("response=%7B%7D"),
            "pages.remove_device" => form("device=00000000-0000-4000-8000-000000000007"),
            "pages.begin_second_factor" => form("next=%2F"),
            "pages.add_care_team_member" => form("person=00000000-0000-4000-8000-000000000007"),
            "pages.begin_emergency_access" => form("reason=+"),
            "pages.review" => form("appropriate=true&finding=+"),
            "pages.register_client" => form("name=&scopes=system%2F*.rs&jwks=x"),
            "pages.replace_client_keys" => form("jwks=x"),
            "pages.confirm_second_factor" => {
                form("authenticator=00000000-0000-4000-8000-000000000007&code=000000")
            }
            "pages.change_password" => form("password=x&new_password=x"),
            "pages.end_own_session" => form("session=00000000-0000-4000-8000-000000000007"),
            "fhir.search_by_form" => form(&self.query(resource_type.unwrap_or_default())),
            "fhir.bundle" | "fhir.bundle_with_slash" => {
                json(json!({"resourceType": "Bundle", "type": "batch", "entry": []}))
            }
            "fhir.create" | "fhir.update" | "fhir.validate_type" | "fhir.validate_resource" => {
                json(resource.unwrap_or_default())
            }
            "fhir.validate" => json(self.resources["Patient"].clone()),
            "fhir.patch" => (
                "application/json-patch+json",
                r#"[{"op":"test","path":"/resourceType","value":"x"}]"#.to_owned(),
            ),
            "fhir.export_by_body"
            | "fhir.export_patients_by_body"
            | "fhir.export_group_by_body" => json(parameters),
            "workflow.confirm_authenticator" => json(json!({"code": "000000"})),
            "workflow.change_password" => json(json!({"password": "x", "new_password": "x"})),
            "workflow.invite_person" => {
                json(json!({"name": "", "email": "a@b.example", "role": "clinician"}))
            }
            "workflow.register_client" => {
                json(json!({"name": "", "scopes": "system/*.rs", "jwks": {}}))
            }
            "workflow.change_client" | "workflow.change_person" => json(json!({"active": true})),
            "workflow.change_organization" => json(json!({"chart_access": "care-team"})),
            "workflow.add_care_team_member" => json(json!({"person": Uuid::from_u128(7)})),
            "workflow.begin_emergency_access" => json(json!({"reason": " "})),
            "workflow.review_emergency_access" => {
                json(json!({"appropriate": true, "finding": " "}))
            }
            _ => ("", String::new()),
        }
    }

    /// The request of an operation.
    fn request(
        &self,
        (method, path): (&str, &str),
        operation: &str,
        resource_type: Option<&str>,
    ) -> anyhow::Result<Request<Bytes>> {
        let mut uri = path
            .replace("{type}", resource_type.unwrap_or_default())
            .replace("{id}", &self.id(path, resource_type).to_string())
            .replace("{person}", &Uuid::from_u128(7).to_string())
            .replace("{compartment}", "Observation")
            .replace("{version}", "1")
            .replace("{file}", "0");
        match (operation, resource_type) {
            ("fhir.search", Some(name)) => uri = format!("{uri}?{}", self.query(name)),
            ("fhir.history_of_type", Some(_)) => uri = format!("{uri}?patient={}", self.patient),
            _ => {}
        }
        let (kind, body) = self.body(operation, resource_type);
        let mut request = Request::builder().method(method).uri(uri);
        if !kind.is_empty() {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        if operation == "fhir.delete" {
            // No version: the request is permitted, and has no effect.
            request = request.header(header::IF_MATCH, "W/\"4000000\"");
        }
        if operation.contains("export") {
            request = request.header("prefer", "respond-async");
        }
        request.body(body.into()).context("a request")
    }
}

/// The columns: clients in each role.
async fn columns(
    running: &RunningStack,
    clinic: &ClosedClinic,
) -> anyhow::Result<Vec<(&'static str, Client)>> {
    let elsewhere = ClosedClinic::new(running).await?;
    let mut columns = vec![
        ("member", clinic.member.clone()),
        ("outsider", clinic.outsider.clone()),
        ("elsewhere", elsewhere.member),
        ("security", clinic.admin.clone()),
    ];
    for (name, role) in [
        ("desk", Role::FrontDesk),
        ("billing", Role::Billing),
        ("privacy", Role::PrivacyOfficer),
        ("auditor", Role::Auditor),
    ] {
        columns.push((name, clinic.client(running, role).await?));
    }
    let credentials = register(&clinic.admin, "Matrix", "system/*.rs").await?;
    columns.push((
        "service",
        token_of(running, &credentials, "system/*.rs").await?,
    ));
    let account = running.provision_in(Role::Clinician, &clinic.name)?;
    let single = sign_in(running, &account, "").await?;
    columns.push(("password", with_token(running, single)?));
    Ok(columns)
}

/// The types with which an operation is requested; none for an operation without a type.
fn types_of(path: &str) -> Vec<Option<&'static str>> {
    if path.ends_with("/{id}/$export") {
        vec![Some("Group")]
    } else if path.contains("$everything")
        || path.contains("{compartment}")
        || path == "/fhir/{type}/$export"
    {
        vec![Some("Patient")]
    } else if path.contains("{type}") {
        TYPES.map(Some).to_vec()
    } else {
        vec![None]
    }
}

fn cell(status: u16, is_get: bool) -> String {
    match status {
        400 | 401 | 404 | 410 => status.to_string(),
        303 if is_get => "303".to_owned(),
        403 => "-".to_owned(),
        _ => "yes".to_owned(),
    }
}

#[tokio::test]
async fn every_role_reaches_what_the_reviewed_table_says() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinic = ClosedClinic::new(&running).await?;
    let samples = Samples::store(&clinic).await?;
    let columns = columns(&running, &clinic).await?;
    let described = clinic.admin.get("/api/v1/openapi.json").await?.json()?;
    let mut table = format!("{:56}", "");
    for (name, _) in &columns {
        write!(table, " {name:9}")?;
    }
    table = table.trim_end().to_owned() + "\n";
    for (path, item) in described["paths"].as_object().context("paths")? {
        let operations = item.as_object().context("methods")?.iter();
        for (method, operation) in operations.filter(|(name, _)| *name != "parameters") {
            let id = operation["operationId"].as_str().context("an id")?;
            if operation["security"] == json!([]) || ENDING.contains(&id) {
                continue;
            }
            let method = method.to_uppercase();
            for resource_type in types_of(path) {
                let shown = path.replace("{type}", resource_type.unwrap_or_default());
                let mut line = format!("{:56}", format!("{method} {shown}"));
                for (name, client) in &columns {
                    let request = samples.request((&method, path), id, resource_type)?;
                    let response = client.send(request).await?;
                    let status = response.status.as_u16();
                    assert!(
                        status < 500 && status != 429,
                        "{method} {shown} {name}: {}",
                        response.text()
                    );
                    write!(line, " {:9}", cell(status, method == "GET"))?;
                }
                writeln!(table, "{}", line.trim_end())?;
            }
        }
    }
    let reviewed = fs::read_to_string(REVIEWED).unwrap_or_default();
    if table != reviewed {
        let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/access_matrix.txt");
        fs::write(&found, &table)?;
        let differing = table
            .lines()
            .filter(|line| !reviewed.lines().any(|it| it == *line));
        panic!(
            "the access differs from {REVIEWED}: review {}, and copy it if it is right\n{}",
            found.display(),
            differing.collect::<Vec<_>>().join("\n")
        );
    }
    Ok(())
}
