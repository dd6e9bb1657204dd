//! Conditional reads: what a client has already is not sent again, and its access is on record all
//! the same.

use bytes::Bytes;
use http::HeaderName;
use http::Method;
use http::Request;
use http::header;
use serde_json::Value;
use serde_json::json;
use tests::Answer;
use tests::Client;
use tests::Clinic;
use tests::Role;
use tests::Running;
use tests::audited;
use tests::fhir;

/// A request without a body under a condition.
async fn ask(
    client: &Client,
    method: Method,
    path: &str,
    condition: (HeaderName, &str),
) -> anyhow::Result<Answer> {
    let request = Request::builder().method(method).uri(path);
    let request = request.header(condition.0, condition.1);
    client.send(request.body(Bytes::new())?).await
}

/// A patient that was just stored in its first version.
async fn stored(client: &Client) -> anyhow::Result<Value> {
    let patient = fhir::patient();
    let bundle = fhir::transaction(&[&patient]);
    client.bundle(&bundle).await?.expecting(200)?;
    Ok(patient)
}

#[tokio::test]
async fn a_version_that_the_client_has_is_answered_with_304_and_recorded_like_a_read()
-> anyhow::Result<()> {
    let running = Running::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let officer = running
        .sign_in(Role::PrivacyOfficer, Clinic::Riverside)
        .await?;
    let patient = stored(&clinician).await?;
    let path = format!("/fhir/{}", fhir::reference(&patient));
    let first = clinician.get(&path).await?.expecting(200)?;
    assert_eq!(first.header("etag"), "W/\"1\"");
    let date = first.header("last-modified").to_owned();
    assert!(date.ends_with(" GMT"), "{date}");
    let far = "Friday, 31-Dec-49 00:00:00 GMT";
    let mut answers = Vec::new();
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
            let answer = ask(&clinician, method, &path, (name.clone(), value)).await?;
            assert_eq!(answer.status, 304, "{name}: {value}");
            assert!(answer.body.is_empty());
            for kept in ["etag", "last-modified", "cache-control"] {
                assert_eq!(answer.header(kept), first.header(kept), "{kept}");
            }
            assert!(answer.headers.get(header::CONTENT_TYPE).is_none());
            answers.push(answer);
        }
    }
    let events = audited::latest(&officer).await?;
    for answer in answers {
        let event = audited::of_request(&events, answer.header("x-request-id"));
        let event = event.expect("the access is on record");
        assert_eq!(
            (&event["action"], &event["outcome"]),
            (&json!("read"), &json!("success"))
        );
        assert!(audited::names(event, "Patient", fhir::id(&patient)));
    }
    Ok(())
}

#[tokio::test]
async fn another_version_or_a_condition_that_cannot_be_read_is_answered_in_full()
-> anyhow::Result<()> {
    let running = Running::shared()?;
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
        let answer = ask(&clinician, Method::GET, &path, (name.clone(), value)).await?;
        assert_eq!(answer.status, 200, "{name}: {value}");
        assert_eq!(fhir::without_stamp(&answer.json()?), patient);
    }
    let mut changed = patient.clone();
    changed["gender"] = json!("other");
    clinician
        .bundle(&fhir::transaction(&[&changed]))
        .await?
        .expecting(200)?;
    let condition = (header::IF_NONE_MATCH, "W/\"1\"");
    let answer = ask(&clinician, Method::GET, &path, condition).await?;
    assert_eq!(
        (answer.status.as_u16(), answer.header("etag")),
        (200, "W/\"2\"")
    );
    for (name, value) in [
        (header::IF_MATCH, "W/\"1\""),
        (header::IF_UNMODIFIED_SINCE, "Thu, 01 Jan 1970 00:00:00 GMT"),
    ] {
        let answer = ask(&clinician, Method::GET, &path, (name, value)).await?;
        assert_eq!(answer.status, 412, "{value}");
        answer.issues()?;
    }
    Ok(())
}

#[tokio::test]
async fn a_condition_tells_nothing_to_those_who_may_not_read() -> anyhow::Result<()> {
    let running = Running::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let patient = stored(&clinician).await?;
    let path = format!("/fhir/{}", fhir::reference(&patient));
    let stranger = running.clinician(Clinic::Lakeside).await?;
    let officer = running
        .sign_in(Role::PrivacyOfficer, Clinic::Riverside)
        .await?;
    for (client, status) in [(stranger, 404), (officer, 403), (running.nobody(), 401)] {
        for condition in [
            (header::IF_NONE_MATCH, "*"),
            (header::IF_NONE_MATCH, "W/\"1\""),
            (header::IF_MATCH, "W/\"9\""),
            (header::IF_MODIFIED_SINCE, "Fri, 31 Dec 2049 00:00:00 GMT"),
        ] {
            let answer = ask(&client, Method::GET, &path, condition).await?;
            assert_eq!(answer.status, status);
            assert!(answer.headers.get(header::ETAG).is_none());
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_style_sheet_that_the_browser_has_is_not_sent_again() -> anyhow::Result<()> {
    let nobody = Running::shared()?.nobody();
    let page = nobody.page("/sign-in").await?.expecting(200)?.text();
    let (_, rest) = page
        .split_once("href=\"/assets/style")
        .expect("a style sheet");
    let (name, _) = rest.split_once('"').expect("a name");
    let path = format!("/assets/style{name}");
    let first = nobody.get(&path).await?.expecting(200)?;
    let tag = first.header("etag");
    for method in [Method::GET, Method::HEAD] {
        let answer = ask(&nobody, method, &path, (header::IF_NONE_MATCH, tag)).await?;
        assert_eq!(answer.status, 304);
        assert!(answer.body.is_empty());
        for kept in ["etag", "cache-control", "vary"] {
            assert_eq!(answer.header(kept), first.header(kept), "{kept}");
        }
    }
    let other = ask(
        &nobody,
        Method::GET,
        &path,
        (header::IF_NONE_MATCH, "\"x\""),
    )
    .await?;
    assert_eq!(other.body, first.body);
    Ok(())
}

#[tokio::test]
async fn what_clients_write_in_their_own_way_is_read() -> anyhow::Result<()> {
    let running = Running::shared()?;
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
        let answer = ask(&clinician, Method::GET, &path, (name, value)).await?;
        assert_eq!(answer.status, status, "{value}");
    }
    let nobody = running.nobody();
    for scheme in ["Bearer  ", "bearer     ", "BEARER "] {
        let token = format!("{scheme}{}", clinician.token());
        let condition = (header::AUTHORIZATION, token.as_str());
        let answer = ask(&nobody, Method::GET, &path, condition).await?;
        assert_eq!(answer.status, 200, "{scheme}");
    }
    Ok(())
}
