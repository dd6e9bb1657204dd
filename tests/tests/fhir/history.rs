//! Histories of a resource, and of a type within a chart.

use serde_json::Value;
use serde_json::json;
use tests::Client;
use tests::fhir;

use super::api::clinician;
use super::api::created;
use super::api::delete;
use super::api::entries;
use super::api::link;
use super::api::pages;
use super::api::path;
use super::api::put;

/// Stores an observation and amends it until it has this number of versions.
async fn with_versions(client: &Client, patient: &Value, versions: usize) -> anyhow::Result<Value> {
    let mut observation = created(client, &fhir::observation(patient)).await?;
    for value in 1..versions {
        observation["valueQuantity"]["value"] = json!(100 + value);
        put(client, &observation).await?.expect_status(200)?;
    }
    Ok(observation)
}

/// The versions of the entries of pages, in their order.
fn versions(pages: &[Value]) -> Vec<String> {
    let entries = pages.iter().flat_map(entries);
    let etag = |entry: Value| {
        let etag = entry["response"]["etag"].as_str().unwrap_or_default();
        etag.trim_matches(['W', '/', '"']).to_owned()
    };
    entries.map(etag).collect()
}

async fn bundle(client: &Client, path: &str) -> anyhow::Result<Value> {
    client.get(path).await?.expect_status(200)?.json()
}

#[tokio::test]
async fn a_history_has_every_version_once_page_by_page() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let patient = created(&client, &fhir::patient()).await?;
    let observation = with_versions(&client, &patient, 7).await?;
    let path = path(&observation);
    delete(&client, &path).await?.expect_status(204)?;
    for count in [1, 2, 3, 4, 8, 50] {
        let first = bundle(&client, &format!("{path}/_history?_count={count}")).await?;
        assert_eq!(
            (&first["type"], &first["total"]),
            (&json!("history"), &json!(8))
        );
        let pages = pages(&client, first).await?;
        let expected = ["8", "7", "6", "5", "4", "3", "2", "1"];
        assert_eq!(versions(&pages), expected, "_count={count}");
        assert!(
            pages.iter().all(|page| entries(page).len() <= count),
            "_count={count}"
        );
        assert!(
            pages.iter().all(|page| !entries(page).is_empty()),
            "_count={count}"
        );
    }
    // Versions that are written between two pages do not move the others.
    let first = bundle(&client, &format!("{path}/_history?_count=3")).await?;
    put(&client, &observation).await?.expect_status(201)?;
    let rest = pages(&client, first).await?;
    assert_eq!(versions(&rest), ["8", "7", "6", "5", "4", "3", "2", "1"]);
    let values: Vec<_> = rest
        .iter()
        .flat_map(entries)
        .map(|entry| entry["resource"]["valueQuantity"]["value"].clone())
        .collect();
    assert_eq!(
        values[1..],
        [106, 105, 104, 103, 102, 101, 72].map(|it| json!(it))
    );
    Ok(())
}

#[tokio::test]
async fn a_history_begins_at_the_requested_time() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let patient = created(&client, &fhir::patient()).await?;
    let observation = with_versions(&client, &patient, 4).await?;
    let path = path(&observation);
    let whole = bundle(&client, &format!("{path}/_history")).await?;
    let entries = entries(&whole);
    for (index, entry) in entries.iter().enumerate() {
        let since = entry["response"]["lastModified"]
            .as_str()
            .unwrap_or_default();
        let path = format!(
            "{path}/_history?_since={}&_count=2",
            since.replace('+', "%2B")
        );
        let pages = pages(&client, bundle(&client, &path).await?).await?;
        let expected: Vec<_> = (4 - index..=4).rev().map(|it| it.to_string()).collect();
        assert_eq!(versions(&pages), expected, "{since}");
    }
    let future = bundle(
        &client,
        &format!("{path}/_history?_since=2999-01-01T00:00:00Z"),
    )
    .await?;
    assert!(super::api::entries(&future).is_empty() && link(&future, "next").is_none());
    for refused in [
        "_since=2026",
        "_since=x",
        "_count=0",
        "_count=-1",
        "_at=2026",
        "code=x",
    ] {
        let response = client.get(&format!("{path}/_history?{refused}")).await?;
        response.expect_status(400)?.issues()?;
    }
    Ok(())
}

#[tokio::test]
async fn the_history_of_a_type_is_that_of_one_chart() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let patient = created(&client, &fhir::patient()).await?;
    let other = created(&client, &fhir::patient()).await?;
    let one = with_versions(&client, &patient, 3).await?;
    with_versions(&client, &other, 2).await?;
    let two = with_versions(&client, &patient, 2).await?;
    delete(&client, &path(&one)).await?.expect_status(204)?;
    let id = fhir::id(&patient);
    for parameter in [format!("patient={id}"), format!("subject=Patient/{id}")] {
        for count in [1, 2, 4, 50] {
            let path = format!("/fhir/Observation/_history?{parameter}&_count={count}");
            let pages = pages(&client, bundle(&client, &path).await?).await?;
            let entries: Vec<_> = pages.iter().flat_map(entries).collect();
            let urls: Vec<_> = entries.iter().map(|it| &it["request"]["url"]).collect();
            let (one, two) = (fhir::reference(&one), fhir::reference(&two));
            assert_eq!(urls, [&one, &two, &two, &one, &one, &one], "_count={count}");
            assert_eq!(
                versions(&pages),
                ["4", "2", "1", "3", "2", "1"],
                "_count={count}"
            );
        }
    }
    let refused = client.get("/fhir/Observation/_history").await?;
    let words = refused.expect_status(400)?.issues()?[0]["diagnostics"].to_string();
    assert!(words.contains("patient"), "{words}");
    let path = format!("/fhir/Condition/_history?patient={id}");
    assert!(entries(&bundle(&client, &path).await?).is_empty());
    let unknown = format!("/fhir/Observation/{}/_history", fhir::random_id());
    client.get(&unknown).await?.expect_status(404)?.issues()?;
    Ok(())
}

#[tokio::test]
async fn a_history_of_another_organization_discloses_nothing() -> anyhow::Result<()> {
    let (running, client) = clinician().await?;
    let patient = created(&client, &fhir::patient()).await?;
    let observation = with_versions(&client, &patient, 2).await?;
    let outsider = running.clinician(tests::Clinic::Lakeside).await?;
    let path = path(&observation);
    for path in [format!("{path}/_history"), format!("{path}/_history/1")] {
        let foreign = outsider.get(&path).await?.expect_status(404)?;
        let unknown = format!("/fhir/Observation/{}/_history/1", fhir::random_id());
        let unknown = outsider.get(&unknown).await?.expect_status(404)?;
        assert_eq!(foreign.json()?, unknown.json()?, "{path}");
    }
    let path = format!("/fhir/Observation/_history?patient={}", fhir::id(&patient));
    let foreign = bundle(&outsider, &path).await?;
    let path = format!("/fhir/Observation/_history?patient={}", fhir::random_id());
    let unknown = bundle(&outsider, &path).await?;
    assert_eq!(foreign, unknown);
    Ok(())
}
