//! Bulk exports: `$export`, the status, the files, and the end.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;
use tests::Client;
use tests::Clinic;
use tests::Role;
use tests::RunningStack;
use tests::export;
use tests::export::BulkExport;
use tests::fhir;

use super::api::clinician;
use super::api::delete;
use super::api::path;
use super::api::practitioner;
use super::api::send;
use super::api::store;

/// The stack, its clinician and its data warehouse.
pub(crate) async fn exporter() -> anyhow::Result<(RunningStack, Client, Client)> {
    let (running, owner) = clinician().await?;
    let client = running.sign_in(Role::Service, Clinic::Riverside).await?;
    Ok((running, owner, client))
}

/// A patient with some observations, and a group of that patient alone.
pub(crate) struct Cohort {
    pub(crate) patient: Value,
    pub(crate) observations: Vec<Value>,
    group: Value,
}

impl Cohort {
    pub(crate) async fn stored(owner: &Client) -> anyhow::Result<Self> {
        let patient = fhir::patient();
        let observations: Vec<Value> = (0..5).map(|_| fhir::observation(&patient)).collect();
        let member = |id: Value| json!({"reference": format!("Patient/{}", id.as_str().unwrap_or_default())});
        let group = json!({
            "resourceType": "Group", "id": fhir::random_id(), "type": "person", "actual": true,
            "member": [{"entity": member(patient["id"].clone())}]
        });
        let all: Vec<&Value> = [&patient, &group]
            .into_iter()
            .chain(&observations)
            .collect();
        store(owner, &all).await?;
        Ok(Self {
            patient,
            observations,
            group,
        })
    }

    /// `Group/{id}/$export`.
    pub(crate) fn export(&self) -> String {
        format!("{}/$export", fhir::reference(&self.group))
    }

    /// The references of the chart.
    pub(crate) fn references(&self) -> BTreeSet<String> {
        let all = std::iter::once(&self.patient).chain(&self.observations);
        all.map(fhir::reference).collect()
    }
}

async fn exported(client: &Client, path: &str) -> anyhow::Result<BTreeSet<String>> {
    let export = BulkExport::begin(client, path).await?;
    let resources = export::resources(&export.files().await?)?;
    export.remove().await?;
    Ok(resources.into_keys().collect())
}

#[tokio::test]
async fn a_group_is_exported_as_its_resources_are_read() -> anyhow::Result<()> {
    let (_running, owner, client) = exporter().await?;
    let cohort = Cohort::stored(&owner).await?;
    let export = BulkExport::begin(&client, &cohort.export()).await?;
    let complete = export.complete().await?;
    assert_eq!(complete.header("content-type"), "application/json");
    assert!(!complete.header("expires").is_empty(), "{complete:?}");
    let manifest = complete.json()?;
    assert_eq!(manifest["requiresAccessToken"], true);
    assert_eq!(manifest["error"], json!([]), "{manifest}");
    assert!(
        manifest["request"]
            .as_str()
            .is_some_and(|it| it.ends_with(&cohort.export()))
    );
    let files = export.files().await?;
    let resources = export::resources(&files)?;
    let names: BTreeSet<_> = resources.keys().cloned().collect();
    assert_eq!(names, cohort.references());
    for (name, resource) in &resources {
        let read = owner
            .get(&format!("/fhir/{name}"))
            .await?
            .expect_status(200)?;
        assert_eq!(*resource, read.json()?, "{name}");
    }
    // The lines have the digits that were sent.
    let text = files
        .iter()
        .flat_map(|it| it.lines.clone())
        .collect::<String>();
    assert!(text.contains(r#""value":72,"#), "{text}");
    export.remove().await
}

#[tokio::test]
async fn every_resource_of_the_organization_is_exported_once() -> anyhow::Result<()> {
    let (running, owner, client) = exporter().await?;
    let (cohort, practitioner) = (Cohort::stored(&owner).await?, practitioner());
    store(&owner, &[&practitioner]).await?;
    let types = "$export?_type=Patient,Practitioner,Group,Observation";
    let all = exported(&client, types).await?;
    assert!(all.is_superset(&cohort.references()));
    for other in [&practitioner, &cohort.group] {
        assert!(all.contains(&fhir::reference(other)));
    }
    // Nothing of one organization is exported for another. (Ids alone do not tell them apart: other tests store resources
    // under the same id in both.)
    let of_lakeside = Cohort::stored(&running.clinician(Clinic::Lakeside).await?).await?;
    let elsewhere = running.sign_in(Role::Service, Clinic::Lakeside).await?;
    let others = exported(&elsewhere, types).await?;
    assert!(others.is_superset(&of_lakeside.references()) && others.len() > 1_000);
    assert!(others.is_disjoint(&cohort.references()));
    let all = exported(&client, types).await?;
    assert!(all.is_disjoint(&of_lakeside.references()));
    let charts = exported(&client, "Patient/$export?_type=Patient,Observation").await?;
    assert!(charts.is_superset(&cohort.references()));
    assert!(charts.iter().all(|it| !it.starts_with("Practitioner")));
    assert!(charts.len() > 1_000, "{}", charts.len());
    Ok(())
}

#[tokio::test]
async fn an_export_is_limited_by_type_and_time() -> anyhow::Result<()> {
    let (_running, owner, client) = exporter().await?;
    let cohort = Cohort::stored(&owner).await?;
    let of = async |query: &str| exported(&client, &format!("{}?{query}", cohort.export())).await;
    let patient = BTreeSet::from([fhir::reference(&cohort.patient)]);
    assert_eq!(of("_type=Patient").await?, patient);
    let format = "_outputFormat=application/fhir%2Bndjson&_type=Patient";
    assert_eq!(of(format).await?, patient);
    assert!(of("_since=2999-01-01T00:00:00Z").await?.is_empty());
    let stored = owner.read("Patient", fhir::id(&cohort.patient)).await?;
    let since = stored["meta"]["lastUpdated"].as_str().unwrap_or_default();
    assert_eq!(of(&format!("_since={since}")).await?, cohort.references());
    delete(&owner, &path(&cohort.observations[0]))
        .await?
        .expect_status(204)?;
    let mut rest = cohort.references();
    rest.remove(&fhir::reference(&cohort.observations[0]));
    assert_eq!(of("").await?, rest);
    // The parameters of a body.
    let parameters = json!({"resourceType": "Parameters", "parameter": [
        {"name": "_type", "valueString": "Patient"}
    ]});
    let headers = [("prefer", "respond-async")];
    let path = format!("/fhir/{}", cohort.export());
    let begun = send(&client, "POST", &path, &headers, Some(&parameters)).await?;
    let begun = begun.expect_status(202)?;
    let status = begun.header("content-location");
    let status = &status[status.find("/fhir/").unwrap_or_default()..];
    let manifest = client.get(status).await?.expect_status(200)?.json()?;
    assert_eq!(manifest["output"][0]["count"], 1, "{manifest}");
    delete(&client, status).await?.expect_status(202)?;
    Ok(())
}

#[tokio::test]
async fn a_group_has_its_current_members_at_the_time_of_the_request() -> anyhow::Result<()> {
    let (_running, owner, client) = exporter().await?;
    let (mut cohort, other) = (Cohort::stored(&owner).await?, fhir::patient());
    store(&owner, &[&other]).await?;
    let export = BulkExport::begin(&client, &cohort.export()).await?;
    // A later version of the group does not change an export that has begun.
    let member = json!({"entity": {"reference": fhir::reference(&other)}});
    let former = cohort.group["member"][0].clone();
    let mut inactive = former.clone();
    inactive["inactive"] = json!(true);
    cohort.group["member"] = json!([member, inactive]);
    store(&owner, &[&cohort.group]).await?;
    let resources = export::resources(&export.files().await?)?;
    assert_eq!(
        resources.into_keys().collect::<BTreeSet<_>>(),
        cohort.references()
    );
    export.remove().await?;
    let now = exported(&client, &cohort.export()).await?;
    assert_eq!(now, BTreeSet::from([fhir::reference(&other)]));
    Ok(())
}

#[tokio::test]
async fn what_is_not_supported_is_refused_and_not_repeated() -> anyhow::Result<()> {
    let (_running, owner, client) = exporter().await?;
    let cohort = Cohort::stored(&owner).await?;
    let path = format!("/fhir/{}", cohort.export());
    client.get(&path).await?.expect_status(400)?.issues()?;
    for query in [
        "_outputFormat=Smith",
        "_typeFilter=Smith",
        "_type=Smith",
        "name=Smith",
    ] {
        let refused = export::kick_off(&client, &format!("{}?{query}", cohort.export())).await?;
        let refused = refused.expect_status(400)?;
        assert!(!refused.text().contains("Smith"), "{}", refused.text());
        refused.issues()?;
    }
    let directory = export::kick_off(&client, "Patient/$export?_type=Practitioner").await?;
    directory.expect_status(400)?.issues()?;
    let unknown = format!("Group/{}/$export", fhir::random_id());
    for unknown in [unknown.as_str(), "Observation/$export"] {
        export::kick_off(&client, unknown)
            .await?
            .expect_status(404)?
            .issues()?;
    }
    let body = json!({"resourceType": "Smith"});
    let headers = [("prefer", "respond-async")];
    let refused = send(&client, "POST", "/fhir/$export", &headers, Some(&body)).await?;
    let refused = refused.expect_status(400)?;
    assert!(!refused.text().contains("Smith"), "{}", refused.text());
    Ok(())
}

/// The objects of an export on disk.
pub(crate) fn objects_of(
    running: &RunningStack,
    id: &str,
) -> anyhow::Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![running.status.home.join("objects")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if entry.path().to_string_lossy().contains(id) {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

#[tokio::test]
async fn requests_for_one_status_at_once_neither_repeat_nor_lose_a_resource() -> anyhow::Result<()>
{
    let (running, _owner, client) = exporter().await?;
    let export = BulkExport::begin(&client, "Patient/$export?_type=Observation,Encounter").await?;
    for _ in 0..200 {
        let polls = futures::future::join_all((0..4).map(|_| export.poll())).await;
        let polls = polls.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        if polls.iter().any(|poll| poll.status == 200) {
            break;
        }
        for poll in polls {
            assert!(matches!(poll.status.as_u16(), 202 | 503), "{}", poll.text());
        }
    }
    let files = export.files().await?;
    // A resource with two lines is an error there.
    let resources = export::resources(&files)?;
    assert!(resources.len() > 1_000, "{}", resources.len());
    // The objects of requests that lost are deleted.
    let id = export
        .status
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .replace('-', "");
    assert_eq!(objects_of(&running, &id)?.len(), files.len());
    let again = exported(&client, "Patient/$export?_type=Observation,Encounter").await?;
    let first: BTreeSet<_> = resources.into_keys().collect();
    // Other tests store observations meanwhile, and delete some.
    assert!(first.intersection(&again).count() > 1_000);
    export.remove().await
}

#[tokio::test]
async fn the_capability_statement_has_the_operations() -> anyhow::Result<()> {
    let (running, _owner, _client) = exporter().await?;
    let statement = running.anonymous().get("/fhir/metadata").await?.json()?;
    let bulk_data = "http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data";
    assert_eq!(statement["instantiates"], json!([bulk_data]));
    let rest = &statement["rest"][0];
    assert_eq!(rest["operation"][0]["name"], "export");
    for (kind, name) in [("Patient", "patient-export"), ("Group", "group-export")] {
        let mut resources = rest["resource"].as_array().into_iter().flatten();
        let resource = resources
            .find(|it| it["type"] == kind)
            .cloned()
            .unwrap_or_default();
        assert!(
            resource["operation"].to_string().contains(name),
            "{resource}"
        );
    }
    Ok(())
}
