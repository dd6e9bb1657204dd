//! Deletion: what a deleted resource leaves behind, and how it is restored.

use serde_json::Value;
use serde_json::json;
use tests::Client;
use tests::fhir;

use super::api::clinician;
use super::api::created;
use super::api::delete;
use super::api::entries;
use super::api::matches;
use super::api::path;
use super::api::put;
use super::api::search;
use super::api::searchset;
use super::api::send;
use super::api::store;
use super::api::unique_word;

#[tokio::test]
async fn a_deleted_resource_is_gone_and_its_versions_stay() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let patient = created(&client, &fhir::patient()).await?;
    let first = created(&client, &fhir::observation(&patient)).await?;
    let path = path(&first);
    for stale in ["W/\"2\"", "1", "*"] {
        let headers = [("if-match", stale)];
        let refused = send(&client, "DELETE", &path, &headers, None).await?;
        refused.expect_status(412)?.issues()?;
    }
    let headers = [("if-match", "W/\"1\"")];
    let deleted = send(&client, "DELETE", &path, &headers, None).await?;
    let deleted = deleted.expect_status(204)?;
    assert!(deleted.body.is_empty() && deleted.header("location").is_empty());
    for repeated in [delete(&client, &path).await?, delete(&client, &path).await?] {
        repeated.expect_status(204)?;
    }
    let unknown = format!("/fhir/Observation/{}", fhir::random_id());
    delete(&client, &unknown).await?.expect_status(204)?;
    client.get(&path).await?.expect_status(410)?.issues()?;
    let version = async |number: u32| client.get(&format!("{path}/_history/{number}")).await;
    assert_eq!(version(1).await?.expect_status(200)?.json()?, first);
    version(2).await?.expect_status(410)?.issues()?;
    version(3).await?.expect_status(404)?.issues()?;
    let history = client.get(&format!("{path}/_history")).await?;
    let history = history.expect_status(200)?.json()?;
    let methods = entries(&history);
    let methods: Vec<_> = methods.iter().map(|it| &it["request"]["method"]).collect();
    assert_eq!(methods, ["DELETE", "PUT"], "{history}");
    assert!(history["entry"][0].get("resource").is_none(), "{history}");
    let chart = [("patient", &*fhir::id(&patient).to_string())];
    assert_eq!(searchset(&client, "Observation", &chart).await?["total"], 0);
    // A deletion that is repeated makes no version, and a restored resource a higher one.
    let restored = put(&client, &first).await?.expect_status(201)?;
    assert_eq!(restored.header("etag"), "W/\"3\"");
    client.get(&path).await?.expect_status(200)?;
    assert_eq!(searchset(&client, "Observation", &chart).await?["total"], 1);
    version(2).await?.expect_status(410)?;
    Ok(())
}

/// Requires that a patient is in no list and no search, and that its page is not found.
async fn expect_absent(client: &Client, patient: &Value) -> anyhow::Result<()> {
    let id = fhir::id(patient).to_string();
    let number = patient["identifier"][0]["value"]
        .as_str()
        .unwrap_or_default();
    let family = patient["name"][0]["family"].as_str().unwrap_or_default();
    for field in [("_id", &*id), ("identifier", number), ("family", family)] {
        let found = searchset(client, "Patient", &[field]).await?;
        anyhow::ensure!(found["total"] == 0, "{field:?}: {found}");
        anyhow::ensure!(matches(&found).is_empty(), "{field:?}: {found}");
    }
    let page = client.page(&format!("/patients/{id}")).await?;
    anyhow::ensure!(page.status == 404, "{}: {}", page.status, page.text());
    anyhow::ensure!(!page.text().contains(family), "{}", page.text());
    for query in [family, number] {
        let page = client.form("/patients/search", &[("q", query)]).await?;
        let text = page.text();
        anyhow::ensure!(!text.contains(&id), "{query}: {text}");
    }
    client
        .get(&format!("/fhir/Patient/{id}"))
        .await?
        .expect_status(410)?;
    Ok(())
}

#[tokio::test]
async fn a_patient_with_an_empty_chart_can_be_deleted_and_restored() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let mut patient = fhir::patient();
    patient["name"][0]["family"] = json!(unique_word());
    let observation = fhir::observation(&patient);
    let account = json!({
        "resourceType": "Account", "id": fhir::random_id(), "status": "active",
        "subject": [{"reference": fhir::reference(&patient)}]
    });
    store(&client, &[&patient, &observation, &account]).await?;
    let path = path(&patient);
    let family = patient["name"][0]["family"].as_str().unwrap_or_default();
    for content in [&observation, &account] {
        let refused = delete(&client, &path).await?.expect_status(409)?;
        let words = refused.issues()?[0]["diagnostics"].to_string();
        assert!(words.contains("chart"), "{words}");
        client.get(&path).await?.expect_status(200)?;
        assert_eq!(client.found(&[("family", family)]).await?.len(), 1);
        delete(&client, &self::path(content))
            .await?
            .expect_status(204)?;
    }
    delete(&client, &path).await?.expect_status(204)?;
    delete(&client, &path).await?.expect_status(204)?;
    expect_absent(&client, &patient).await?;
    // Nothing can be filed in the chart of a deleted patient.
    let late = put(&client, &fhir::observation(&patient)).await?;
    assert!(matches!(late.status.as_u16(), 409 | 422), "{}", late.text());
    late.issues()?;
    let late = put(&client, &observation).await?;
    assert!(matches!(late.status.as_u16(), 409 | 422), "{}", late.text());
    let chart = [("patient", &*fhir::id(&patient).to_string())];
    assert_eq!(searchset(&client, "Observation", &chart).await?["total"], 0);
    let restored = put(&client, &patient).await?.expect_status(201)?;
    assert_eq!(restored.header("etag"), "W/\"3\"");
    assert_eq!(client.found(&[("family", family)]).await?.len(), 1);
    put(&client, &observation).await?.expect_status(201)?;
    let page = client
        .page(&format!("/patients/{}", fhir::id(&patient)))
        .await?;
    assert!(page.expect_status(200)?.text().contains(family));
    Ok(())
}

#[tokio::test]
async fn the_record_number_of_a_deleted_patient_is_free_again() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let number = fhir::random_record_number();
    let one = fhir::patient_of(fhir::random_id(), &number);
    let other = fhir::patient_of(fhir::random_id(), &number);
    put(&client, &one).await?.expect_status(201)?;
    put(&client, &other).await?.expect_status(409)?;
    delete(&client, &path(&one)).await?.expect_status(204)?;
    put(&client, &other).await?.expect_status(201)?;
    let found = searchset(&client, "Patient", &[("identifier", &number)]).await?;
    assert_eq!(matches(&found), [fhir::id(&other)]);
    let restored = put(&client, &one).await?.expect_status(409)?;
    assert!(!restored.text().contains(&number));
    client.get(&path(&one)).await?.expect_status(410)?;
    Ok(())
}

#[tokio::test]
async fn a_deleted_practitioner_is_not_found_in_the_directory() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let practitioner = super::api::practitioner();
    put(&client, &practitioner).await?.expect_status(201)?;
    let family = practitioner["name"][0]["family"]
        .as_str()
        .unwrap_or_default();
    let fields = [("family", family)];
    let found = searchset(&client, "Practitioner", &fields).await?;
    assert_eq!(matches(&found), [fhir::id(&practitioner)]);
    delete(&client, &path(&practitioner))
        .await?
        .expect_status(204)?;
    let found = search(&client, "Practitioner", &fields)
        .await?
        .expect_status(200)?;
    assert_eq!(found.json()?["total"], 0);
    Ok(())
}
