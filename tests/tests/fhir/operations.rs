//! The operations `$everything` and `$validate`, and searches in a patient's compartment.

use http::Method;
use serde_json::Value;
use serde_json::json;
use tests::Client;
use tests::Clinic;
use tests::Role;
use tests::audit_trail;
use tests::fhir;

use super::api::clinician;
use super::api::delete;
use super::api::entries;
use super::api::link;
use super::api::officer;
use super::api::path;
use super::api::practitioner;
use super::api::store;

/// A chart with resources of several classes, and the practitioner to which they refer.
struct Chart {
    patient: Value,
    practitioner: Value,
    others: Vec<Value>,
}

impl Chart {
    async fn stored(client: &Client) -> anyhow::Result<Self> {
        let (patient, practitioner) = (fhir::patient(), practitioner());
        let about = json!({"reference": fhir::reference(&patient)});
        let mut others: Vec<Value> = (0..5).map(|_| fhir::observation(&patient)).collect();
        for observation in &mut others {
            let performer = json!({"reference": fhir::reference(&practitioner)});
            observation["performer"] = json!([performer]);
        }
        others.push(json!({
            "resourceType": "Coverage", "id": fhir::random_id(), "status": "active",
            "beneficiary": about, "payor": [about]
        }));
        let all: Vec<&Value> = [&patient, &practitioner]
            .into_iter()
            .chain(&others)
            .collect();
        store(client, &all).await?;
        Ok(Self {
            patient,
            practitioner,
            others,
        })
    }

    fn everything(&self) -> String {
        format!("{}/$everything", path(&self.patient))
    }

    /// The references of all resources, in the order of the result.
    fn references(&self) -> Vec<String> {
        let mut others: Vec<_> = self.others.iter().map(fhir::reference).collect();
        others.sort();
        let first = std::iter::once(fhir::reference(&self.patient));
        let last = std::iter::once(fhir::reference(&self.practitioner));
        first.chain(others).chain(last).collect()
    }
}

/// The references of the resources of a searchset, without outcomes.
fn references(bundle: &Value) -> Vec<String> {
    let shown = entries(bundle);
    let shown = shown.iter().map(|entry| &entry["resource"]);
    let shown = shown.filter(|it| it["resourceType"] != "OperationOutcome");
    shown.map(fhir::reference).collect()
}

/// The bundle at a path.
async fn bundle(client: &Client, path: &str) -> anyhow::Result<Value> {
    client.get(path).await?.expect_status(200)?.json()
}

#[tokio::test]
async fn everything_is_the_chart_and_what_it_refers_to() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let chart = Chart::stored(&client).await?;
    let whole = bundle(&client, &chart.everything()).await?;
    assert_eq!(whole["type"], "searchset");
    assert_eq!(references(&whole), chart.references(), "{whole}");
    assert!(link(&whole, "next").is_none(), "{whole}");
    assert_eq!(entries(&whole).len(), chart.references().len(), "{whole}");
    let modes = entries(&whole);
    let included = modes.iter().filter(|it| it["search"]["mode"] == "include");
    assert_eq!(included.count(), 1, "{whole}");
    // A deleted resource is not shown.
    let gone = path(&chart.others[0]);
    delete(&client, &gone).await?.expect_status(204)?;
    let rest = references(&bundle(&client, &chart.everything()).await?);
    assert_eq!(rest.len(), chart.references().len() - 1);
    assert!(!rest.contains(&fhir::reference(&chart.others[0])));
    Ok(())
}

#[tokio::test]
async fn pages_of_everything_show_each_resource_once() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let chart = Chart::stored(&client).await?;
    for count in 1..=9 {
        let mut next = Some(format!("{}?_count={count}", chart.everything()));
        let mut shown = Vec::new();
        let mut pages = 0;
        while let Some(path) = next {
            let page = bundle(&client, &path).await?;
            shown.extend(references(&page));
            next = link(&page, "next");
            pages += 1;
            anyhow::ensure!(pages < 20, "{count}: no end");
        }
        assert_eq!(shown, chart.references(), "{count}");
    }
    // The cursor is of no use to another caller, and for another patient.
    let first = bundle(&client, &format!("{}?_count=1", chart.everything())).await?;
    let next = link(&first, "next").unwrap_or_default();
    let (running, _) = clinician().await?;
    let desk = running.sign_in(Role::FrontDesk, Clinic::Riverside).await?;
    desk.get(&next).await?.expect_status(400)?.issues()?;
    let other = Chart::stored(&client).await?;
    let (_, cursor) = next.split_once('?').unwrap_or_default();
    let moved = format!("{}?{cursor}", other.everything());
    client.get(&moved).await?.expect_status(400)?.issues()?;
    Ok(())
}

#[tokio::test]
async fn everything_is_limited_by_type_and_time() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let chart = Chart::stored(&client).await?;
    let of_types = |types: &str| format!("{}?_type={types}", chart.everything());
    let coverage = bundle(&client, &of_types("Coverage")).await?;
    assert_eq!(references(&coverage).len(), 1, "{coverage}");
    assert!(link(&coverage, "next").is_none());
    let practitioner = bundle(&client, &of_types("Practitioner")).await?;
    assert!(references(&practitioner).is_empty(), "{practitioner}");
    let next = link(&practitioner, "next").unwrap_or_default();
    let directory = references(&bundle(&client, &next).await?);
    assert_eq!(directory, [fhir::reference(&chart.practitioner)]);
    let later = format!("{}?_since=2999-01-01T00:00:00Z", chart.everything());
    assert!(references(&bundle(&client, &later).await?).is_empty());
    let since = format!("{}?_since=2020-01-01T00:00:00Z", chart.everything());
    let all = references(&bundle(&client, &since).await?);
    assert_eq!(all, chart.references());
    for refused in ["start=2020-01-01", "_type=Smith", "_count=0", "name=Smith"] {
        let path = format!("{}?{refused}", chart.everything());
        let refused = client.get(&path).await?.expect_status(400)?;
        assert!(!refused.text().contains("Smith"), "{}", refused.text());
        refused.issues()?;
    }
    Ok(())
}

#[tokio::test]
async fn everything_leaves_out_what_a_role_may_not_read() -> anyhow::Result<()> {
    let (running, client) = clinician().await?;
    let chart = Chart::stored(&client).await?;
    let desk = running.sign_in(Role::FrontDesk, Clinic::Riverside).await?;
    let shown = bundle(&desk, &chart.everything()).await?;
    assert_eq!(
        references(&shown),
        [fhir::reference(&chart.patient)],
        "{shown}"
    );
    let outcome = entries(&shown).pop().unwrap_or_default();
    assert_eq!(outcome["search"]["mode"], "outcome");
    let text = outcome.to_string();
    assert!(text.contains("clinical, billing"), "{text}");
    let outsider = running.clinician(Clinic::Lakeside).await?;
    let elsewhere = outsider.get(&chart.everything()).await?;
    elsewhere.expect_status(404)?.issues()?;
    let refused = officer(&running).await?.get(&chart.everything()).await?;
    refused.expect_status(403)?.issues()?;
    let anonymous = running.anonymous().get(&chart.everything()).await?;
    anonymous.expect_status(401)?.issues()?;
    Ok(())
}

#[tokio::test]
async fn everything_names_each_resource_in_the_trail() -> anyhow::Result<()> {
    let (running, client) = clinician().await?;
    let officer = officer(&running).await?;
    let chart = Chart::stored(&client).await?;
    let response = client.get(&chart.everything()).await?.expect_status(200)?;
    let events = audit_trail::latest_events(&officer).await?;
    let request = response.header("x-request-id");
    let event = audit_trail::event_of_request(&events, request)
        .cloned()
        .unwrap_or_default();
    for resource in [&chart.patient, &chart.practitioner]
        .into_iter()
        .chain(&chart.others)
    {
        let kind = resource["resourceType"].as_str().unwrap_or_default();
        let named = audit_trail::names_record(&event, kind, fhir::id(resource));
        assert!(named, "{kind}: {event}");
    }
    Ok(())
}

#[tokio::test]
async fn a_deleted_patient_has_nothing() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let chart = Chart::stored(&client).await?;
    let patient = path(&chart.patient);
    delete(&client, &patient).await?.expect_status(409)?;
    for other in &chart.others {
        delete(&client, &path(other)).await?.expect_status(204)?;
    }
    delete(&client, &patient).await?.expect_status(204)?;
    let everything = client.get(&chart.everything()).await?;
    everything.expect_status(404)?.issues()?;
    let compartment = bundle(&client, &format!("{patient}/Observation")).await?;
    assert_eq!(compartment["total"], 0, "{compartment}");
    let unknown = format!("/fhir/Patient/{}/$everything", fhir::random_id());
    client.get(&unknown).await?.expect_status(404)?.issues()?;
    Ok(())
}

#[tokio::test]
async fn a_compartment_is_searched_like_its_type() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let chart = Chart::stored(&client).await?;
    let patient = path(&chart.patient);
    let found = bundle(
        &client,
        &format!("{patient}/Observation?_count=2&_sort=_id"),
    )
    .await?;
    assert_eq!(found["total"], 5, "{found}");
    let next = link(&found, "next").unwrap_or_default();
    assert!(
        next.contains(&format!("{patient}/Observation?_cursor=")),
        "{next}"
    );
    let second = bundle(&client, &next).await?;
    assert_eq!(references(&second).len(), 2, "{second}");
    assert_ne!(references(&second), references(&found));
    let coverage = bundle(&client, &format!("{patient}/Coverage")).await?;
    assert_eq!(coverage["total"], 1, "{coverage}");
    let other = fhir::random_id();
    let refused = format!("{patient}/Observation?patient={other}");
    client.get(&refused).await?.expect_status(400)?.issues()?;
    let refused = client
        .get(&format!("{patient}/Observation?code=Smith"))
        .await?;
    let refused = refused.expect_status(400)?;
    assert!(
        refused.text().contains("POST /fhir/Observation/_search"),
        "{}",
        refused.text()
    );
    assert!(!refused.text().contains("Smith"));
    for missing in ["Practitioner", "Patient", "Nothing"] {
        let missing = client.get(&format!("{patient}/{missing}")).await?;
        missing.expect_status(404)?.issues()?;
    }
    Ok(())
}

/// The issues of a validation.
async fn validated(client: &Client, path: &str, body: &Value) -> anyhow::Result<Vec<Value>> {
    let kind = "application/fhir+json";
    let response = client.request(Method::POST, path, kind, body.to_string());
    response.await?.expect_status(200)?.issues()
}

#[tokio::test]
async fn validation_says_what_a_write_would_be_refused_for_and_stores_nothing() -> anyhow::Result<()>
{
    let (_running, client) = clinician().await?;
    let patient = fhir::patient();
    let mut observation = fhir::observation(&patient);
    let paths = [
        "/fhir/$validate".to_owned(),
        "/fhir/Observation/$validate".to_owned(),
        format!("{}/$validate", path(&observation)),
    ];
    for path in &paths {
        let issues = validated(&client, path, &observation).await?;
        assert_eq!(issues[0]["severity"], "information", "{path}: {issues:?}");
    }
    let core = "profile=http://hl7.org/fhir/StructureDefinition/Observation&mode=update";
    let issues = validated(&client, &format!("{}?{core}", paths[1]), &observation).await?;
    assert_eq!(issues[0]["severity"], "information", "{issues:?}");
    client.get(&path(&observation)).await?.expect_status(404)?;
    observation["status"] = json!("Smith");
    for path in &paths {
        let issues = validated(&client, path, &observation).await?;
        assert_eq!(issues[0]["code"], "code-invalid", "{path}: {issues:?}");
        assert!(!format!("{issues:?}").contains("Smith"));
    }
    let profile = json!({"name": "profile", "valueUri": "http://example.org/fhir/Smith"});
    let resource = json!({"name": "resource", "resource": fhir::observation(&patient)});
    let parameters = json!({"resourceType": "Parameters", "parameter": [resource, profile]});
    let kind = "application/fhir+json";
    let refused = client.request(Method::POST, &paths[1], kind, parameters.to_string());
    let refused = refused.await?.expect_status(400)?;
    assert!(!refused.text().contains("Smith"), "{}", refused.text());
    assert_eq!(refused.issues()?[0]["code"], "not-supported");
    Ok(())
}

#[tokio::test]
async fn refusals_under_fhir_are_outcomes() -> anyhow::Result<()> {
    let (running, client) = clinician().await?;
    let long = format!("/fhir/{}", "a".repeat(600));
    let kind = "application/fhir+json";
    for (method, path, kind, status) in [
        (Method::GET, "/fhir/Nothing", "", 404),
        (Method::GET, "/fhir/_search", "", 404),
        (
            Method::POST,
            "/fhir/_search",
            "application/x-www-form-urlencoded",
            404,
        ),
        (Method::GET, "/fhir", "", 405),
        (Method::GET, "/fhir?family=Smith", "", 400),
        (Method::DELETE, "/fhir/Patient", "", 405),
        (Method::GET, "/fhir/$validate", "", 405),
        (Method::GET, long.as_str(), "", 414),
        (Method::POST, "/fhir", "application/fhir+xml", 415),
        (Method::POST, "/fhir/$validate", "application/fhir+xml", 415),
    ] {
        let body = if kind.is_empty() { "" } else { "{}" };
        let response = client.request(method, path, kind, body).await?;
        let response = response.expect_status(status)?;
        assert!(!response.text().contains("Smith"), "{path}");
        response.issues()?;
    }
    let large = " ".repeat(9 << 20);
    for path in ["/fhir", "/fhir/Patient", "/fhir/$validate"] {
        let response = client
            .request(Method::POST, path, kind, large.clone())
            .await?;
        response.expect_status(413)?.issues()?;
    }
    let anonymous = running.anonymous().get("/fhir/Patient").await?;
    anonymous.expect_status(401)?.issues()?;
    Ok(())
}
