//! JSON Patch of one resource.

use serde_json::Value;
use serde_json::json;
use tests::Clinic;
use tests::fhir;

use super::api::clinician;
use super::api::created;
use super::api::delete;
use super::api::patch;
use super::api::path;
use super::api::put;
use super::api::send;

#[tokio::test]
async fn a_patch_changes_what_it_names_and_nothing_else() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let patient = created(&client, &fhir::patient()).await?;
    let operations = json!([
        {"op": "test", "path": "/gender", "value": "female"},
        {"op": "replace", "path": "/gender", "value": "other"},
        {"op": "add", "path": "/name/0/given/-", "value": "Maria"},
        {"op": "remove", "path": "/address"},
        {"op": "copy", "from": "/telecom/0", "path": "/telecom/1"},
        {"op": "move", "from": "/telecom/0", "path": "/telecom/1"}
    ]);
    let patched = patch(&client, &path(&patient), &operations).await?;
    let patched = patched.expect_status(200)?;
    assert_eq!(patched.header("etag"), "W/\"2\"");
    let mut expected = fhir::without_server_meta(&patient);
    expected["gender"] = json!("other");
    expected["name"][0]["given"] = json!(["Wilhelmina", "Maria"]);
    expected["telecom"] = json!([patient["telecom"][0], patient["telecom"][0]]);
    if let Some(object) = expected.as_object_mut() {
        object.remove("address");
    }
    assert_eq!(fhir::without_server_meta(&patched.json()?), expected);
    let read = client.read("Patient", fhir::id(&patient)).await?;
    assert_eq!(read, patched.json()?);
    let id = fhir::id(&patient).to_string();
    let found = client.found(&[("_id", &id), ("gender", "other")]).await?;
    assert_eq!(found.len(), 1, "the search sees the patched value");
    // A patch without an effect makes no version.
    let operations = json!([{"op": "replace", "path": "/gender", "value": "other"}]);
    let again = patch(&client, &path(&patient), &operations).await?;
    assert_eq!(again.expect_status(200)?.header("etag"), "W/\"2\"");
    Ok(())
}

/// The replacement of a value.
fn replace(path: &str, value: &Value) -> Value {
    json!([{"op": "replace", "path": path, "value": value}])
}

/// A refused patch of an observation: what it is, its operations and the status.
type Refused = (&'static str, Value, u16);

/// Patches whose result is no valid observation of the same patient.
fn invalid_results(other: &Value) -> Vec<Refused> {
    let owner = json!(fhir::reference(other));
    let unknown = json!(format!("Patient/{}", fhir::random_id()));
    vec![
        ("another owner", replace("/subject/reference", &owner), 409),
        ("another id", replace("/id", &json!(fhir::random_id())), 422),
        (
            "another type",
            replace("/resourceType", &json!("Condition")),
            422,
        ),
        (
            "no subject",
            json!([{"op": "remove", "path": "/subject"}]),
            422,
        ),
        (
            "an invalid code",
            replace("/status", &json!("CANARYVALUE")),
            422,
        ),
        (
            "an unknown element",
            json!([{"op": "add", "path": "/unheardOf", "value": "CANARYVALUE"}]),
            422,
        ),
        (
            "an unknown owner",
            replace("/subject/reference", &unknown),
            409,
        ),
        (
            "the whole document",
            json!([{"op": "replace", "path": "", "value": {}}]),
            422,
        ),
    ]
}

/// Patches that are malformed, too long or without the place or value that they name.
fn inapplicable_operations() -> Vec<Refused> {
    let parameters = json!({"resourceType": "Parameters", "parameter": []});
    let parts = json!({"status": "amended"});
    vec![
        (
            "no such element",
            json!([{"op": "remove", "path": "/note/3"}]),
            422,
        ),
        (
            "a failing test",
            json!([{"op": "test", "path": "/status", "value": "CANARYVALUE"}]),
            422,
        ),
        (
            "a failing test at its end",
            json!([
                {"op": "replace", "path": "/status", "value": "amended"},
                {"op": "test", "path": "/status", "value": "CANARYVALUE"}
            ]),
            422,
        ),
        (
            "an unknown operation",
            json!([{"op": "CANARYVALUE", "path": "/status"}]),
            422,
        ),
        ("a FHIRPath Patch", parameters, 422),
        ("a part of a resource", parts, 422),
        (
            "too many operations",
            json!(vec![
                json!({"op": "test", "path": "/status", "value": "final"});
                201
            ]),
            422,
        ),
    ]
}

#[tokio::test]
async fn a_patch_that_cannot_be_applied_changes_nothing() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let patient = created(&client, &fhir::patient()).await?;
    let other = created(&client, &fhir::patient()).await?;
    let observation = created(&client, &fhir::observation(&patient)).await?;
    let path = path(&observation);
    let refused = invalid_results(&other).into_iter();
    for (what, operations, status) in refused.chain(inapplicable_operations()) {
        let response = patch(&client, &path, &operations).await?;
        assert_eq!(response.status, status, "{what}: {}", response.text());
        response.issues()?;
        assert!(
            !response.text().contains("CANARYVALUE"),
            "{what}: {}",
            response.text()
        );
    }
    for kind in [
        "application/fhir+json",
        "application/json",
        "application/merge-patch+json",
    ] {
        let headers = [("content-type", kind)];
        let operations = replace("/status", &json!("amended"));
        let response = send(&client, "PATCH", &path, &headers, Some(&operations)).await?;
        let words = response.expect_status(415)?.issues()?[0]["diagnostics"].to_string();
        assert!(words.contains("application/json-patch+json"), "{words}");
    }
    let read = client.get(&path).await?.expect_status(200)?;
    assert_eq!(read.json()?, observation);
    Ok(())
}

#[tokio::test]
async fn a_patch_needs_a_resource_and_the_version_that_it_names() -> anyhow::Result<()> {
    let (running, client) = clinician().await?;
    let patient = created(&client, &fhir::patient()).await?;
    let observation = created(&client, &fhir::observation(&patient)).await?;
    let path = path(&observation);
    let operations = json!([{"op": "replace", "path": "/status", "value": "amended"}]);
    let with = async |condition: &str| {
        let headers = [
            ("content-type", super::api::JSON_PATCH),
            ("if-match", condition),
        ];
        send(&client, "PATCH", &path, &headers, Some(&operations)).await
    };
    for stale in ["W/\"2\"", "1", "*"] {
        let refused = with(stale).await?;
        assert!(
            matches!(refused.status.as_u16(), 400 | 412),
            "{}",
            refused.text()
        );
        refused.issues()?;
    }
    let elsewhere = running.clinician(Clinic::Lakeside).await?;
    let foreign = patch(&elsewhere, &path, &operations).await?;
    let unknown = format!("/fhir/Observation/{}", fhir::random_id());
    let missing = patch(&elsewhere, &unknown, &operations).await?;
    assert_eq!(foreign.status, 404, "{}", foreign.text());
    assert_eq!(
        foreign.json()?,
        missing.json()?,
        "the same as for no resource"
    );
    patch(&client, &unknown, &operations)
        .await?
        .expect_status(404)?
        .issues()?;
    let patched = with("W/\"1\"").await?.expect_status(200)?;
    assert_eq!(patched.header("etag"), "W/\"2\"");
    delete(&client, &path).await?.expect_status(204)?;
    let gone = patch(&client, &path, &operations)
        .await?
        .expect_status(410)?;
    gone.issues()?;
    Ok(())
}

#[tokio::test]
async fn concurrent_patches_lose_no_change() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let patient = created(&client, &fhir::patient()).await?;
    let path = path(&patient);
    let attempts = (0..6).map(|number| {
        let (client, path) = (client.clone(), path.clone());
        async move {
            let telecom = json!({"system": "phone", "value": format!("555-010-{number:04}")});
            let operations = json!([{"op": "add", "path": "/telecom/-", "value": telecom}]);
            for _ in 0..20 {
                let response = patch(&client, &path, &operations).await?;
                if !matches!(response.status.as_u16(), 409 | 503) {
                    response.expect_status(200)?;
                    return anyhow::Ok(());
                }
            }
            anyhow::bail!("patch {number} was never applied")
        }
    });
    for attempt in futures::future::join_all(attempts).await {
        attempt?;
    }
    let read = client.read("Patient", fhir::id(&patient)).await?;
    assert_eq!(read["telecom"].as_array().map(Vec::len), Some(7), "{read}");
    assert_eq!(read["meta"]["versionId"], "7");
    Ok(())
}

#[tokio::test]
async fn a_patched_resource_is_checked_like_one_that_is_sent_whole() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let patient = created(&client, &fhir::patient()).await?;
    let other = fhir::patient();
    let stored = put(&client, &other).await?.expect_status(201)?;
    let (own, _version) = stored
        .header("location")
        .split_once("/_history")
        .expect("a version");
    let observation = created(&client, &fhir::observation(&patient)).await?;
    let subset = json!([{"code": "SUBSETTED"}]);
    for (what, path, value) in [
        (
            "another patient, absolute",
            "/performer",
            json!([{"reference": own}]),
        ),
        (
            "another patient",
            "/performer",
            json!([{"reference": fhir::reference(&other)}]),
        ),
        (
            "a conditional reference",
            "/performer",
            json!([{"reference": "Practitioner?identifier=a|b"}]),
        ),
        ("a subset", "/meta/tag", subset),
    ] {
        let operations = json!([{"op": "add", "path": path, "value": value}]);
        let refused = patch(&client, &self::path(&observation), &operations).await?;
        assert_eq!(refused.status, 422, "{what}: {}", refused.text());
    }
    let read = client.read("Observation", fhir::id(&observation)).await?;
    assert_eq!(read, observation);
    Ok(())
}
