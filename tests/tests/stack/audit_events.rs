//! Audit events of reads, of refused writes and of failed sign-ins.

use std::time::Duration;

use anyhow::Context as _;
use http::Method;
use serde_json::Value;
use serde_json::json;
use tests::Client;
use tests::Clinic;
use tests::Role;
use tests::RunningStack;
use tests::audit_trail;
use tests::fhir;

#[tokio::test]
async fn a_read_is_audited_with_its_user_and_record() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let officer = running
        .sign_in(Role::PrivacyOfficer, Clinic::Riverside)
        .await?;
    let me = clinician
        .get("/api/v1/session")
        .await?
        .expect_status(200)?
        .json()?;
    let patient = fhir::patient();
    let id = fhir::id(&patient);
    let write = clinician
        .bundle(&fhir::transaction(&[&patient]))
        .await?
        .expect_status(200)?;
    let read = clinician
        .get(&format!("/fhir/Patient/{id}"))
        .await?
        .expect_status(200)?;
    let family = ("family", "Testperson");
    let search = clinician.search(&[family]).await?.expect_status(200)?;
    let chart = clinician
        .page(&format!("/patients/{id}"))
        .await?
        .expect_status(200)?;
    let events = audit_trail::latest_events(&officer).await?;
    for (response, action) in [
        (write, "write"),
        (read, "read"),
        (search, "search"),
        (chart, "read"),
    ] {
        let event = audit_trail::event_of_request(&events, response.header("x-request-id"));
        let event = event.unwrap_or_else(|| panic!("no audit event of the {action}"));
        assert_eq!(event["action"], action);
        assert_eq!(event["outcome"], "success");
        assert_eq!(event["person"], me["person"]["id"]);
        assert_eq!(event["role"], "clinician");
        let named = |kind| audit_trail::names_record(event, kind, id);
        assert!(
            action == "search" || named("Patient") || named("chart"),
            "{event}"
        );
        let text = event.to_string();
        assert!(
            !text.contains("Testperson") && !text.contains("127.0.0.1"),
            "{text}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_write_that_conflicts_with_a_stored_record_is_audited() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Lakeside).await?;
    let officer = running
        .sign_in(Role::PrivacyOfficer, Clinic::Lakeside)
        .await?;
    let (patient, other) = (fhir::patient(), fhir::patient());
    let observation = fhir::observation(&patient);
    clinician
        .bundle(&fhir::transaction(&[&patient, &other, &observation]))
        .await?
        .expect_status(200)?;
    let orphan = fhir::observation(&fhir::patient());
    let mut moved = observation.clone();
    moved["subject"]["reference"] = fhir::reference(&other).into();
    let mut same_number = fhir::patient();
    same_number["identifier"] = patient["identifier"].clone();
    for (what, status, refused) in [
        ("of an unknown patient", 422, &orphan),
        ("moved to another patient", 409, &moved),
        ("a record number twice", 409, &same_number),
    ] {
        let kind = refused["resourceType"].as_str().expect("a type");
        for (bundle, status) in [
            (fhir::transaction(&[refused]), status),
            (fhir::batch(&[refused]), 200),
        ] {
            let event = refused_event(&clinician, &officer, &bundle, status).await;
            let event = event.with_context(|| what.to_owned())?;
            assert_eq!(event["action"], "write", "{what}");
            assert_eq!(event["outcome"], "refused", "{what}");
            assert!(
                audit_trail::names_record(&event, kind, fhir::id(refused)),
                "{what}: {event}"
            );
        }
    }
    Ok(())
}

/// The event of a refused Bundle. Of a person, 20 refusals a minute are recorded one by one, which other tests may have used
/// up: then the Bundle is sent again, until there is room for another.
async fn refused_event(
    clinician: &Client,
    officer: &Client,
    bundle: &Value,
    status: u16,
) -> anyhow::Result<Value> {
    for _ in 0..30 {
        let response = clinician.bundle(bundle).await?.expect_status(status)?;
        let events = audit_trail::latest_events(officer).await?;
        let event = audit_trail::event_of_request(&events, response.header("x-request-id"));
        if let Some(event) = event {
            return Ok(event.clone());
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    anyhow::bail!("no audit event in a minute")
}

#[tokio::test]
async fn a_failed_sign_in_is_audited() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let officer = running
        .sign_in(Role::PrivacyOfficer, Clinic::Riverside)
        .await?;
    let account = running.account(Role::PrivacyOfficer, Clinic::Riverside)?;
    let body = json!({"email": account.email, "password": "not the password"});
    let response = running
        .anonymous()
        .request(
            Method::POST,
            "/api/v1/tokens",
            "application/json",
            body.to_string(),
        )
        .await?;
    assert_eq!(response.status, 401, "{}", response.text());
    assert!(!response.text().contains("not the password"));
    let events = audit_trail::latest_events(&officer).await?;
    let event = audit_trail::event_of_request(&events, response.header("x-request-id"));
    let event = event.expect("an audit event of the refusal");
    assert_eq!(event["outcome"], "refused");
    // An unknown address gets the same message.
    let body = json!({"email": "nobody@riverside.example", "password": "not the password"});
    let unknown = running
        .anonymous()
        .request(
            Method::POST,
            "/api/v1/tokens",
            "application/json",
            body.to_string(),
        )
        .await?;
    assert_eq!(unknown.status, 401);
    assert_eq!(unknown.json()?["detail"], response.json()?["detail"]);
    Ok(())
}
