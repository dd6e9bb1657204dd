//! Conditional reads: a client does not receive a current version again, and its access is audited
//! all the same.

use bytes::Bytes;
use http::HeaderName;
use http::Method;
use http::Request;
use http::header;
use serde_json::Value;
use serde_json::json;
use tests::Client;
use tests::Clinic;
use tests::Role;
use tests::RunningStack;
use tests::TestResponse;
use tests::audit_trail;
use tests::fhir;

/// Sends a request without a body and with a condition.
async fn send_with_condition(
    client: &Client,
    method: Method,
    path: &str,
    condition: (HeaderName, &str),
) -> anyhow::Result<TestResponse> {
    let request = Request::builder().method(method).uri(path);
    let request = request.header(condition.0, condition.1);
    client.send(request.body(Bytes::new())?).await
}

/// Stores a new patient in its first version.
async fn stored(client: &Client) -> anyhow::Result<Value> {
    let patient = fhir::patient();
    let bundle = fhir::transaction(&[&patient]);
    client.bundle(&bundle).await?.expect_status(200)?;
    Ok(patient)
}

#[tokio::test]
async fn a_read_with_the_current_version_gets_304_and_is_audited() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let officer = running
        .sign_in(Role::PrivacyOfficer, Clinic::Riverside)
        .await?;
    let patient = stored(&clinician).await?;
    let path = format!("/fhir/{}", fhir::reference(&patient));
    let first = clinician.get(&path).await?.expect_status(200)?;
    assert_eq!(first.header("etag"), "W/\"1\"");
    let date = first.header("last-modified").to_owned();
    assert!(date.ends_with(" GMT"), "{date}");
    let far = "Friday, 31-Dec-49 00:00:00 GMT";
    let mut responses = Vec::new();
    for (name, value) in [
        (header::IF_NONE_MATCH, "\"1\""),
        (header::IF_NONE_MATCH, "W/\"1\""),
        (header::IF_NONE_MATCH, "\"7\", W/\"1\""),
        (header::IF_NONE_MATCH, "*"),
        (header::IF_MODIFIED_SINCE, date.as_str()),
        (header::IF_MODIFIED_SINCE, far),
        (header::IF_MODIFIED_SINCE, "Fri Dec 31 00:00:00 2049"),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let response =
                send_with_condition(&clinician, method, &path, (name.clone(), value)).await?;
            assert_eq!(response.status, 304, "{name}: {value}");
            assert!(response.body.is_empty());
            for kept in ["etag", "last-modified", "cache-control"] {
                assert_eq!(response.header(kept), first.header(kept), "{kept}");
            }
            assert!(response.headers.get(header::CONTENT_TYPE).is_none());
            responses.push(response);
        }
    }
    let events = audit_trail::latest_events(&officer).await?;
    for response in responses {
        let event = audit_trail::event_of_request(&events, response.header("x-request-id"));
        let event = event.expect("an audit event of the access");
        assert_eq!(
            (&event["action"], &event["outcome"]),
            (&json!("read"), &json!("success"))
        );
        assert!(audit_trail::names_record(
            event,
            "Patient",
            fhir::id(&patient)
        ));
    }
    Ok(())
}

#[tokio::test]
async fn a_read_with_another_version_or_an_invalid_condition_gets_the_full_response()
-> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let patient = stored(&clinician).await?;
    let path = format!("/fhir/{}", fhir::reference(&patient));
    for (name, value) in [
        (header::IF_NONE_MATCH, "\"2\""),
        (header::IF_NONE_MATCH, "1"),
        (header::IF_NONE_MATCH, "\"1"),
        (header::IF_MODIFIED_SINCE, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (header::IF_MODIFIED_SINCE, "2049-12-31"),
        (header::IF_MATCH, "W/\"1\""),
        (header::IF_UNMODIFIED_SINCE, "Fri, 31 Dec 2049 00:00:00 GMT"),
    ] {
        let response =
            send_with_condition(&clinician, Method::GET, &path, (name.clone(), value)).await?;
        assert_eq!(response.status, 200, "{name}: {value}");
        assert_eq!(fhir::without_server_meta(&response.json()?), patient);
    }
    let mut changed = patient.clone();
    changed["gender"] = json!("other");
    clinician
        .bundle(&fhir::transaction(&[&changed]))
        .await?
        .expect_status(200)?;
    let condition = (header::IF_NONE_MATCH, "W/\"1\"");
    let response = send_with_condition(&clinician, Method::GET, &path, condition).await?;
    assert_eq!(
        (response.status.as_u16(), response.header("etag")),
        (200, "W/\"2\"")
    );
    for (name, value) in [
        (header::IF_MATCH, "W/\"1\""),
        (header::IF_UNMODIFIED_SINCE, "Thu, 01 Jan 1970 00:00:00 GMT"),
    ] {
        let response = send_with_condition(&clinician, Method::GET, &path, (name, value)).await?;
        assert_eq!(response.status, 412, "{value}");
        response.issues()?;
    }
    Ok(())
}

#[tokio::test]
async fn a_condition_discloses_nothing_to_an_unauthorized_client() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let patient = stored(&clinician).await?;
    let path = format!("/fhir/{}", fhir::reference(&patient));
    let outsider = running.clinician(Clinic::Lakeside).await?;
    let officer = running
        .sign_in(Role::PrivacyOfficer, Clinic::Riverside)
        .await?;
    for (client, status) in [(outsider, 404), (officer, 403), (running.anonymous(), 401)] {
        for condition in [
            (header::IF_NONE_MATCH, "*"),
            (header::IF_NONE_MATCH, "W/\"1\""),
            (header::IF_MATCH, "W/\"9\""),
            (header::IF_MODIFIED_SINCE, "Fri, 31 Dec 2049 00:00:00 GMT"),
        ] {
            let response = send_with_condition(&client, Method::GET, &path, condition).await?;
            assert_eq!(response.status, status);
            assert!(response.headers.get(header::ETAG).is_none());
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_style_sheet_that_the_browser_has_is_not_sent_again() -> anyhow::Result<()> {
    let anonymous = RunningStack::shared()?.anonymous();
    let page = anonymous.page("/sign-in").await?.expect_status(200)?.text();
    let (_, rest) = page
        .split_once("href=\"/assets/style")
        .expect("a style sheet");
    let (name, _) = rest.split_once('"').expect("a name");
    let path = format!("/assets/style{name}");
    let first = anonymous.get(&path).await?.expect_status(200)?;
    let tag = first.header("etag");
    for method in [Method::GET, Method::HEAD] {
        let response =
            send_with_condition(&anonymous, method, &path, (header::IF_NONE_MATCH, tag)).await?;
        assert_eq!(response.status, 304);
        assert!(response.body.is_empty());
        for kept in ["etag", "cache-control", "vary"] {
            assert_eq!(response.header(kept), first.header(kept), "{kept}");
        }
    }
    let other = send_with_condition(
        &anonymous,
        Method::GET,
        &path,
        (header::IF_NONE_MATCH, "\"x\""),
    )
    .await?;
    assert_eq!(other.body, first.body);
    Ok(())
}

#[tokio::test]
async fn unusual_forms_of_valid_fields_are_accepted() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let patient = stored(&clinician).await?;
    let path = format!("/fhir/{}", fhir::reference(&patient));
    for (name, value, status) in [
        (header::ACCEPT, "APPLICATION/FHIR+JSON", 200),
        (
            header::ACCEPT,
            "application/fhir+json; profile=\"http://hl7.org/fhir/StructureDefinition/Patient\"",
            200,
        ),
        (
            header::ACCEPT,
            "application/fhir+json;fhirVersion=\"4.0\"",
            200,
        ),
        (
            header::ACCEPT,
            "application/fhir+xml, application/json;q=0.1",
            200,
        ),
        (header::ACCEPT, "application/fhir+json;q=0, */*", 406),
        (
            header::ACCEPT,
            "application/fhir+json; fhirVersion=3.0",
            406,
        ),
        (
            header::ACCEPT,
            "text/html; x=\"application/fhir+json\"",
            406,
        ),
        (
            HeaderName::from_static("prefer"),
            "respond-async, wait=10; foo=\"a;b,c\"",
            200,
        ),
    ] {
        let response = send_with_condition(&clinician, Method::GET, &path, (name, value)).await?;
        assert_eq!(response.status, status, "{value}");
    }
    let anonymous = running.anonymous();
    for scheme in ["Bearer  ", "bearer     ", "BEARER "] {
        let token = format!("{scheme}{}", clinician.token());
        let condition = (header::AUTHORIZATION, token.as_str());
        let response = send_with_condition(&anonymous, Method::GET, &path, condition).await?;
        assert_eq!(response.status, 200, "{scheme}");
    }
    Ok(())
}
