//! Create, read, version read and update of one resource.

use serde_json::Value;
use serde_json::json;
use tests::TestResponse;
use tests::fhir;

use super::api::clinician;
use super::api::created;
use super::api::path;
use super::api::practitioner;
use super::api::put;
use super::api::send;

/// The version of a response, by its entity tag.
fn etag(response: &TestResponse) -> &str {
    response.header("etag")
}

#[tokio::test]
async fn a_created_resource_is_read_at_its_location() -> anyhow::Result<()> {
    let (running, client) = clinician().await?;
    let patient = created(&client, &fhir::patient()).await?;
    for sent in [fhir::patient(), fhir::observation(&patient), practitioner()] {
        let kind = sent["resourceType"].as_str().unwrap_or_default();
        let headers = [("prefer", "return=representation")];
        let path = format!("/fhir/{kind}");
        let response = send(&client, "POST", &path, &headers, Some(&sent)).await?;
        let response = response.expect_status(201)?;
        let stored = response.json()?;
        assert_ne!(stored["id"], sent["id"], "the id of the body is ignored");
        assert_eq!(etag(&response), "W/\"1\"");
        assert!(response.header("last-modified").ends_with(" GMT"));
        assert_eq!(stored["meta"]["versionId"], "1");
        let reference = fhir::reference(&stored);
        let address = &running.status.web.address;
        let expected = format!("{address}/fhir/{reference}/_history/1");
        assert_eq!(response.header("location"), expected);
        for path in [
            format!("/fhir/{reference}/_history/1"),
            format!("/fhir/{reference}"),
        ] {
            let read = client.get(&path).await?.expect_status(200)?;
            assert_eq!(read.json()?, stored, "{path}");
            assert_eq!(etag(&read), "W/\"1\"");
            assert_eq!(
                read.header("last-modified"),
                response.header("last-modified")
            );
        }
        let mut expected = sent.clone();
        expected["id"] = stored["id"].clone();
        assert_eq!(fhir::without_server_meta(&stored), expected);
    }
    Ok(())
}

#[tokio::test]
async fn the_response_to_a_write_is_as_the_client_prefers() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let patient = created(&client, &fhir::patient()).await?;
    for (prefer, expected) in [
        ("return=minimal", ""),
        ("return=representation", "Observation"),
        ("return=OperationOutcome", "OperationOutcome"),
        ("return=unknown", "Observation"),
        ("respond-async", "Observation"),
    ] {
        let mut observation = fhir::observation(&patient);
        let headers = [("prefer", prefer)];
        let kind = |response: &TestResponse| {
            if response.body.is_empty() {
                return Ok(String::new());
            }
            let kind = response.json()?["resourceType"].as_str().map(str::to_owned);
            anyhow::Ok(kind.unwrap_or_default())
        };
        let response = send(
            &client,
            "POST",
            "/fhir/Observation",
            &headers,
            Some(&observation),
        );
        let response = response.await?.expect_status(201)?;
        assert_eq!(kind(&response)?, expected, "POST {prefer}");
        assert!(!response.header("location").is_empty());
        for status in [201, 200] {
            let path = path(&observation);
            let response = send(&client, "PUT", &path, &headers, Some(&observation)).await?;
            let response = response.expect_status(status)?;
            assert_eq!(kind(&response)?, expected, "PUT {prefer}");
            assert!(!etag(&response).is_empty());
            observation["status"] = json!("amended");
        }
        let operations = json!([{"op": "replace", "path": "/status", "value": "corrected"}]);
        let headers = [headers[0], ("content-type", super::api::JSON_PATCH)];
        let path = path(&observation);
        let response = send(&client, "PATCH", &path, &headers, Some(&operations)).await?;
        assert_eq!(
            kind(&response.expect_status(200)?)?,
            expected,
            "PATCH {prefer}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn an_update_is_made_on_the_version_that_it_names() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let mut patient = fhir::patient();
    let path = path(&patient);
    put(&client, &patient).await?.expect_status(201)?;
    patient["gender"] = json!("other");
    let update = async |patient: &Value, condition: &str| {
        let headers = [("if-match", condition)];
        send(&client, "PUT", &path, &headers, Some(patient)).await
    };
    let response = update(&patient, "W/\"1\"").await?.expect_status(200)?;
    assert_eq!(etag(&response), "W/\"2\"");
    patient["gender"] = json!("male");
    for refused in [
        "W/\"1\"",
        "W/\"3\"",
        "1",
        "*",
        "\"x\"",
        "",
        "W/\"2\", W/\"1\"",
        "W/2",
        "W/\"-2\"",
        "W/\"99999999999999999999\"",
    ] {
        let response = update(&patient, refused).await?;
        assert_eq!(response.status, 412, "{refused}: {}", response.text());
        response.issues()?;
    }
    let read = client.get(&path).await?.expect_status(200)?;
    assert_eq!(etag(&read), "W/\"2\"");
    assert_eq!(read.json()?["gender"], "other");
    let response = update(&patient, "\"2\"").await?.expect_status(200)?;
    assert_eq!(etag(&response), "W/\"3\"");
    let absent = fhir::patient();
    let headers = [("if-match", "W/\"1\"")];
    let path = self::path(&absent);
    let response = send(&client, "PUT", &path, &headers, Some(&absent)).await?;
    response.expect_status(412)?;
    client.get(&path).await?.expect_status(404)?;
    Ok(())
}

#[tokio::test]
async fn a_put_creates_a_resource_and_amends_it_when_it_differs() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let mut patient = fhir::patient();
    let path = path(&patient);
    let absent = [("if-none-match", "*")];
    let first = send(&client, "PUT", &path, &absent, Some(&patient)).await?;
    assert_eq!(etag(&first.expect_status(201)?), "W/\"1\"");
    let again = put(&client, &patient).await?.expect_status(200)?;
    assert_eq!(etag(&again), "W/\"1\"");
    let back = put(&client, &again.json()?).await?.expect_status(200)?;
    assert_eq!(etag(&back), "W/\"1\"", "what the server added is no change");
    for body in [
        patient.clone(),
        fhir::patient_of(fhir::id(&patient), "T-other"),
    ] {
        let refused = send(&client, "PUT", &path, &absent, Some(&body)).await?;
        refused.expect_status(412)?.issues()?;
    }
    patient["birthDate"] = json!("1961-04-24");
    let amended = put(&client, &patient).await?.expect_status(200)?;
    assert_eq!(etag(&amended), "W/\"2\"");
    for (version, born) in [(1, "1961-04-23"), (2, "1961-04-24")] {
        let read = client.get(&format!("{path}/_history/{version}")).await?;
        let read = read.expect_status(200)?;
        assert_eq!(read.json()?["birthDate"], born);
        assert_eq!(etag(&read), format!("W/\"{version}\""));
    }
    for unknown in ["3", "0", "-1", "x", "99999999999999999999"] {
        let read = client.get(&format!("{path}/_history/{unknown}")).await?;
        read.expect_status(404)?.issues()?;
    }
    Ok(())
}

#[tokio::test]
async fn a_write_that_contradicts_its_address_is_refused() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let patient = created(&client, &fhir::patient()).await?;
    let observation = fhir::observation(&patient);
    let other = fhir::random_id();
    let mut without_id = observation.clone();
    if let Some(object) = without_id.as_object_mut() {
        object.remove("id");
    }
    let own = path(&observation);
    let cases = [
        (
            "PUT",
            format!("/fhir/Observation/{other}"),
            &observation,
            400,
        ),
        ("PUT", own.clone(), &without_id, 400),
        (
            "PUT",
            format!("/fhir/Condition/{}", fhir::id(&observation)),
            &observation,
            400,
        ),
        ("POST", "/fhir/Condition".to_owned(), &observation, 400),
        ("PUT", "/fhir/Observation/7".to_owned(), &observation, 404),
        ("PUT", "/fhir/Unknown/7".to_owned(), &observation, 404),
        ("POST", "/fhir/AuditEvent".to_owned(), &observation, 404),
        ("PUT", "/fhir/Observation".to_owned(), &observation, 405),
        ("POST", own.clone(), &observation, 405),
    ];
    for (method, path, body, status) in cases {
        let response = send(&client, method, &path, &[], Some(body)).await?;
        assert_eq!(
            response.status,
            status,
            "{method} {path}: {}",
            response.text()
        );
        response.issues()?;
    }
    for kind in ["application/fhir+xml", "text/plain"] {
        let headers = [("content-type", kind)];
        let response = send(&client, "PUT", &own, &headers, Some(&observation)).await?;
        response.expect_status(415)?.issues()?;
    }
    let headers = [("accept", "application/fhir+xml")];
    let response = send(&client, "PUT", &own, &headers, Some(&observation)).await?;
    response.expect_status(406)?.issues()?;
    client.get(&own).await?.expect_status(404)?;
    Ok(())
}

#[tokio::test]
async fn a_condition_outside_a_bundle_is_refused_with_the_way_to_send_it() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let patient = fhir::patient();
    let number = patient["identifier"][0]["value"]
        .as_str()
        .unwrap_or_default();
    let query = format!("Patient?identifier=http://hospital.smarthealthit.org%7C{number}");
    let in_header = [("if-none-exist", &*query)];
    let created = send(&client, "POST", "/fhir/Patient", &in_header, Some(&patient)).await?;
    let path = format!("/fhir/{query}");
    let updated = send(&client, "PUT", &path, &[], Some(&patient)).await?;
    let deleted = send(&client, "DELETE", &path, &[], None).await?;
    let operations = json!([{"op": "remove", "path": "/gender"}]);
    let patched = super::api::patch(&client, &path, &operations).await?;
    for (method, response) in [
        ("POST", created),
        ("PUT", updated),
        ("DELETE", deleted),
        ("PATCH", patched),
    ] {
        assert_eq!(response.status, 400, "{method}: {}", response.text());
        let issues = response.issues()?;
        let words = issues[0]["diagnostics"].as_str().unwrap_or_default();
        assert!(words.contains("POST [base]"), "{method}: {words}");
        assert!(words.contains("Bundle"), "{method}: {words}");
        assert!(!response.text().contains(number), "{method}");
    }
    assert!(client.found(&[("identifier", number)]).await?.is_empty());
    Ok(())
}
