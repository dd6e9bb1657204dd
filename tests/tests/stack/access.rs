//! Access by organization, by role, and by valid credentials.

use http::Method;
use serde_json::json;
use tests::Clinic;
use tests::Role;
use tests::RunningStack;
use tests::audit_trail;
use tests::fhir;

#[tokio::test]
async fn a_user_of_another_organization_finds_no_record_and_the_attempt_is_audited()
-> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let outsider = running.clinician(Clinic::Lakeside).await?;
    let officer = running
        .sign_in(Role::PrivacyOfficer, Clinic::Lakeside)
        .await?;
    let number = fhir::random_record_number();
    let mut patient = fhir::patient_of(fhir::random_id(), &number);
    patient["name"][0]["family"] = json!(format!("Only{number}"));
    let observation = fhir::observation(&patient);
    clinician
        .bundle(&fhir::transaction(&[&patient, &observation]))
        .await?
        .expect_status(200)?;
    for resource in [&patient, &observation] {
        let response = outsider
            .get(&format!("/fhir/{}", fhir::reference(resource)))
            .await?;
        assert_eq!(response.status, 404, "{}", response.text());
        let events = audit_trail::latest_events(&officer).await?;
        let event = audit_trail::event_of_request(&events, response.header("x-request-id"));
        let event = event.expect("an audit event of the attempt");
        assert_eq!(event["outcome"], "not-found");
        assert_eq!(event["role"], "clinician");
        assert!(event["person"].is_string());
    }
    let id = fhir::id(&patient);
    let chart = outsider.page(&format!("/patients/{id}")).await?;
    assert_eq!(chart.status, 404);
    let family = format!("Only{number}");
    for fields in [[("identifier", number.as_str())], [("family", &family)]] {
        assert_eq!(clinician.found(&fields).await?.len(), 1, "{fields:?}");
        assert!(outsider.found(&fields).await?.is_empty(), "{fields:?}");
    }
    // A user of the other organization cannot write to it, and the other organization has none of
    // it.
    let response = outsider
        .bundle(&fhir::transaction(&[&fhir::observation(&patient)]))
        .await?;
    assert_eq!(response.status, 422, "{}", response.text());
    Ok(())
}

#[tokio::test]
async fn the_same_id_and_record_number_in_two_organizations_are_two_patients() -> anyhow::Result<()>
{
    let running = RunningStack::shared()?;
    let (here, there) = (
        running.clinician(Clinic::Riverside).await?,
        running.clinician(Clinic::Lakeside).await?,
    );
    let mut patient = fhir::patient();
    here.bundle(&fhir::transaction(&[&patient]))
        .await?
        .expect_status(200)?;
    let riverside_patient = patient.clone();
    patient["gender"] = json!("male");
    there
        .bundle(&fhir::transaction(&[&patient]))
        .await?
        .expect_status(200)?;
    let read = here.read("Patient", fhir::id(&patient)).await?;
    assert_eq!(fhir::without_server_meta(&read), riverside_patient);
    let read = there.read("Patient", fhir::id(&patient)).await?;
    assert_eq!(fhir::without_server_meta(&read), patient);
    Ok(())
}

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

/// Every route that requires authentication, with a method that it supports.
const CLOSED: [(&str, &str); 16] = [
    ("POST", "/fhir"),
    ("POST", "/fhir/Patient/_search"),
    ("GET", "/fhir/Patient"),
    ("GET", "/fhir/Patient/11111111-2222-4333-8444-555555555555"),
    (
        "GET",
        "/fhir/Observation/11111111-2222-4333-8444-555555555555",
    ),
    ("GET", "/"),
    ("GET", "/patients"),
    ("POST", "/patients/search"),
    ("GET", "/patients/11111111-2222-4333-8444-555555555555"),
    ("GET", "/people"),
    ("GET", "/audit"),
    ("POST", "/sign-out"),
    ("GET", "/api/v1/session"),
    ("GET", "/api/v1/people"),
    ("GET", "/api/v1/audit/events"),
    ("DELETE", "/api/v1/tokens/current"),
];

#[tokio::test]
async fn a_client_without_valid_credentials_gets_nothing() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let ended = running
        .sign_in_with_new_token(Role::Clinician, Clinic::Riverside)
        .await?;
    ended
        .request(Method::DELETE, "/api/v1/tokens/current", "", "")
        .await?
        .expect_status(204)?;
    let anonymous = running.anonymous();
    let random = "A".repeat(43);
    let clients = [
        ("no token", anonymous.clone()),
        ("garbage", anonymous.with_token("garbage")),
        ("a token never issued", anonymous.with_token(&random)),
        ("a token given back", ended),
    ];
    for (method, path) in CLOSED {
        for (what, client) in &clients {
            let response = client.request(method.parse()?, path, "", "").await?;
            assert_eq!(
                response.status,
                401,
                "{method} {path} with {what}: {}",
                response.text()
            );
            assert_eq!(
                response.header("www-authenticate"),
                "Bearer",
                "{method} {path}"
            );
        }
        if method == "GET" && !path.starts_with("/fhir") && !path.starts_with("/api") {
            let response = anonymous.page(path).await?;
            assert_eq!(response.status, 303, "{path} in a browser");
            assert_eq!(response.header("location"), "/sign-in");
        }
    }
    for path in ["/healthz", "/readyz", "/sign-in", "/fhir/metadata"] {
        assert_eq!(anonymous.page(path).await?.status, 200, "{path}");
    }
    Ok(())
}

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
        let transaction = clinician.bundle(&fhir::transaction(&[refused])).await?;
        assert_eq!(transaction.status, status, "{what}");
        let batch = clinician.bundle(&fhir::batch(&[refused])).await?;
        for response in [transaction, batch] {
            let events = audit_trail::latest_events(&officer).await?;
            let event = audit_trail::event_of_request(&events, response.header("x-request-id"));
            let event = event.unwrap_or_else(|| panic!("{what}: no audit event"));
            assert_eq!(event["action"], "write", "{what}");
            assert_eq!(event["outcome"], "refused", "{what}");
            assert!(
                audit_trail::names_record(event, kind, fhir::id(refused)),
                "{what}: {event}"
            );
        }
    }
    Ok(())
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

#[tokio::test]
async fn every_documented_route_requires_authentication_unless_it_is_documented_as_public()
-> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let anonymous = running.anonymous();
    let described = anonymous
        .get("/api/v1/openapi.json")
        .await?
        .expect_status(200)?
        .json()?;
    let paths = described["paths"].as_object().expect("paths");
    let mut closed = 0;
    for (path, item) in paths {
        let operations = item.as_object().expect("methods").iter();
        // Parameters that all methods of a path share are beside the methods.
        for (method, operation) in operations.filter(|(name, _)| *name != "parameters") {
            if operation["security"] == json!([]) {
                continue;
            }
            closed += 1;
            let method: Method = method.to_uppercase().parse()?;
            let path = path
                .replace("{type}", "Patient")
                .replace("{id}", "c757873d-ec9a-4326-a141-556f43239520");
            let response = anonymous.request(method, &path, "", "").await?;
            assert_eq!(response.status, 401, "{path}");
            let kind = response.header("content-type");
            if path.starts_with("/fhir") {
                response.issues()?;
            } else {
                assert_eq!(kind, "application/problem+json", "{path}");
            }
        }
    }
    assert!(closed > 12);
    Ok(())
}
