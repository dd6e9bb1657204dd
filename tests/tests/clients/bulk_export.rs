//! A client of others exports in bulk.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;
use tests::BulkAuthentication;
use tests::Clinic;
use tests::Role;
use tests::RunningStack;
use tests::fetch_group;
use tests::fhir;

/// What a client of others exported of a new group, and what the group has.
async fn exported_by(
    running: &RunningStack,
    authentication: BulkAuthentication,
) -> anyhow::Result<(BTreeSet<String>, BTreeSet<String>)> {
    let clinician = running.clinician(Clinic::Riverside).await?;
    let patient = fhir::patient();
    let observations = [fhir::observation(&patient), fhir::observation(&patient)];
    let group = json!({
        "resourceType": "Group", "id": fhir::random_id(), "type": "person", "actual": true,
        "member": [{"entity": {"reference": fhir::reference(&patient)}}]
    });
    let all: Vec<&Value> = [&patient, &group]
        .into_iter()
        .chain(&observations)
        .collect();
    let stored = clinician.bundle(&fhir::transaction(&all)).await?;
    stored.expect_status(200)?;
    let base = format!("{}/fhir", running.status.web.address);
    let authority = running.status.certificates.join("public/ca.pem");
    let folder = tempfile::tempdir()?;
    let target = folder.path().join("exported");
    let (group, into) = (fhir::id(&group).to_string(), target.clone());
    // Without blocking the other tests.
    let fetched = tokio::task::spawn_blocking(move || {
        let types = "Patient,Observation,Condition";
        fetch_group(&base, &authentication, &authority, &group, types, &into)
    });
    fetched.await??;
    let expected = std::iter::once(&patient).chain(&observations);
    let expected = expected.map(fhir::reference).collect();
    Ok((resources_in(&target)?, expected))
}

#[tokio::test]
async fn smart_fetch_exports_a_group() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let service = running.sign_in(Role::Service, Clinic::Riverside).await?;
    let token = BulkAuthentication::Token(service.token().to_owned());
    let (exported, expected) = exported_by(&running, token).await?;
    assert_eq!(exported, expected);
    Ok(())
}

#[tokio::test]
async fn smart_fetch_signs_in_by_smart_backend_services() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let client = running.machine_client("Disease registry", Clinic::Riverside)?;
    let smart = BulkAuthentication::Smart {
        private_keys: client.key.private_keys()?.to_string(),
        client_id: client.id,
    };
    let (exported, expected) = exported_by(&running, smart).await?;
    assert_eq!(exported, expected);
    Ok(())
}

/// The references of the resources in the files of a folder.
fn resources_in(folder: &std::path::Path) -> anyhow::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "ndjson") {
                for line in std::fs::read_to_string(&path)?.lines() {
                    let resource: Value = serde_json::from_str(line)?;
                    if resource["resourceType"].is_string() {
                        found.insert(fhir::reference(&resource));
                    }
                }
            }
        }
    }
    Ok(found)
}
