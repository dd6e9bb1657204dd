//! Access by role: clinical data, demographics, accounts and the audit trail.

use tests::Clinic;
use tests::Role;
use tests::RunningStack;
use tests::audit_trail;
use tests::fhir;

#[tokio::test]
async fn the_front_desk_neither_sees_nor_writes_clinical_data() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let desk = running.sign_in(Role::FrontDesk, Clinic::Riverside).await?;
    let officer = running
        .sign_in(Role::PrivacyOfficer, Clinic::Riverside)
        .await?;
    let patient = fhir::patient();
    let observation = fhir::observation(&patient);
    desk.bundle(&fhir::transaction(&[&patient]))
        .await?
        .expect_status(200)?;
    clinician
        .bundle(&fhir::transaction(&[&observation]))
        .await?
        .expect_status(200)?;
    desk.read("Patient", fhir::id(&patient)).await?;
    let read = desk
        .get(&format!("/fhir/{}", fhir::reference(&observation)))
        .await?;
    let another = fhir::observation(&patient);
    let write = desk.bundle(&fhir::transaction(&[&another])).await?;
    let neighbour = fhir::patient();
    let mixed = desk
        .bundle(&fhir::transaction(&[&neighbour, &another]))
        .await?;
    let events = audit_trail::latest_events(&officer).await?;
    for (response, action) in [(&read, "read"), (&write, "write"), (&mixed, "write")] {
        assert_eq!(response.status, 403, "{}", response.text());
        response.issues()?;
        let event = audit_trail::event_of_request(&events, response.header("x-request-id"));
        let event = event.expect("an audit event of the refusal");
        assert_eq!(event["outcome"], "refused");
        assert_eq!(event["role"], "front_desk");
        assert_eq!(event["action"], action);
        assert_eq!(event["records"][0]["kind"], "Observation");
    }
    let not_stored = clinician
        .get(&format!("/fhir/{}", fhir::reference(&neighbour)))
        .await?;
    assert_eq!(
        not_stored.status, 404,
        "half of the refused transaction was stored"
    );
    // In a batch the other entry succeeds.
    let batch = desk
        .bundle(&fhir::batch(&[&neighbour, &another]))
        .await?
        .expect_status(200)?
        .json()?;
    assert_eq!(batch["entry"][0]["response"]["status"], "201 Created");
    assert_eq!(batch["entry"][1]["response"]["status"], "403 Forbidden");
    let chart = desk
        .page(&format!("/patients/{}", fhir::id(&patient)))
        .await?;
    assert!(
        !chart.text().contains("Heart rate"),
        "the timeline is shown"
    );
    Ok(())
}

#[tokio::test]
async fn a_security_admin_and_a_privacy_officer_see_no_patient() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let officer = running
        .sign_in(Role::PrivacyOfficer, Clinic::Riverside)
        .await?;
    let patient = fhir::patient();
    clinician
        .bundle(&fhir::transaction(&[&patient]))
        .await?
        .expect_status(200)?;
    let id = fhir::id(&patient);
    for role in [Role::SecurityAdmin, Role::PrivacyOfficer] {
        let person = running.sign_in(role, Clinic::Riverside).await?;
        let responses = [
            person.get(&format!("/fhir/Patient/{id}")).await?,
            person.search(&[("family", "Testperson")]).await?,
            person
                .bundle(&fhir::transaction(&[&fhir::patient()]))
                .await?,
            person.page("/patients").await?,
            person.page(&format!("/patients/{id}")).await?,
            person
                .form("/patients/search", &[("q", "Testperson")])
                .await?,
        ];
        let events = audit_trail::latest_events(&officer).await?;
        for response in responses {
            assert_eq!(response.status, 403, "{role}: {}", response.text());
            assert!(!response.text().contains("Wilhelmina"));
            let event = audit_trail::event_of_request(&events, response.header("x-request-id"));
            let event = event.expect("an audit event of the refusal");
            assert_eq!(event["outcome"], "refused");
            assert_eq!(event["role"], role.name());
            assert!(event["person"].is_string());
        }
    }
    Ok(())
}

#[tokio::test]
async fn accounts_are_listed_for_the_security_admin_and_the_audit_trail_for_the_privacy_officer()
-> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    for (path, page, allowed) in [
        ("/api/v1/people", "/people", Role::SecurityAdmin),
        ("/api/v1/audit/events", "/audit", Role::PrivacyOfficer),
    ] {
        for role in [
            Role::Clinician,
            Role::FrontDesk,
            Role::SecurityAdmin,
            Role::PrivacyOfficer,
        ] {
            let person = running.sign_in(role, Clinic::Riverside).await?;
            let expected = if role == allowed { 200 } else { 403 };
            assert_eq!(person.get(path).await?.status, expected, "{path} as {role}");
            assert_eq!(
                person.page(page).await?.status,
                expected,
                "{page} as {role}"
            );
        }
    }
    let admin = running
        .sign_in(Role::SecurityAdmin, Clinic::Riverside)
        .await?;
    let response = admin.get("/api/v1/people").await?;
    let people = response.text();
    assert!(people.contains("@riverside.example") && !people.contains("@lakeside.example"));
    // The disclosure of names and addresses of accounts is audited, and so is its refusal.
    let clinician = running.clinician(Clinic::Riverside).await?;
    let refused = clinician.get("/api/v1/people").await?;
    let officer = running
        .sign_in(Role::PrivacyOfficer, Clinic::Riverside)
        .await?;
    let events = audit_trail::latest_events(&officer).await?;
    for (response, outcome) in [(&response, "success"), (&refused, "refused")] {
        let event = audit_trail::event_of_request(&events, response.header("x-request-id"));
        let event = event.expect("an audit event");
        assert_eq!(event["outcome"], outcome);
        assert_eq!(event["action"], "list");
        assert_eq!(event["records"][0]["kind"], "person");
    }
    Ok(())
}
