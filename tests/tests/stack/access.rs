//! Who may see what: by organization, by role, and with a proof that still holds.

use http::Method;
use serde_json::json;
use tests::Clinic;
use tests::Role;
use tests::Running;
use tests::audited;
use tests::fhir;

#[tokio::test]
async fn a_person_of_another_organization_finds_nothing_and_is_recorded() -> anyhow::Result<()> {
    let running = Running::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let stranger = running.clinician(Clinic::Lakeside).await?;
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
        .expecting(200)?;
    for resource in [&patient, &observation] {
        let answer = stranger
            .get(&format!("/fhir/{}", fhir::reference(resource)))
            .await?;
        assert_eq!(answer.status, 404, "{}", answer.text());
        let events = audited::latest(&officer).await?;
        let event = audited::of_request(&events, answer.header("x-request-id"));
        let event = event.expect("the attempt is on record");
        assert_eq!(event["outcome"], "not-found");
        assert_eq!(event["role"], "clinician");
        assert!(event["person"].is_string());
    }
    let id = fhir::id(&patient);
    let chart = stranger.page(&format!("/patients/{id}")).await?;
    assert_eq!(chart.status, 404);
    let family = format!("Only{number}");
    for fields in [[("identifier", number.as_str())], [("family", &family)]] {
        assert_eq!(clinician.found(&fields).await?.len(), 1, "{fields:?}");
        assert!(stranger.found(&fields).await?.is_empty(), "{fields:?}");
    }
    // Neither can it be written to, nor is anything of it then in the other organization.
    let answer = stranger
        .bundle(&fhir::transaction(&[&fhir::observation(&patient)]))
        .await?;
    assert_eq!(answer.status, 422, "{}", answer.text());
    Ok(())
}

#[tokio::test]
async fn the_same_id_and_record_number_in_two_organizations_are_two_patients() -> anyhow::Result<()>
{
    let running = Running::shared()?;
    let (here, there) = (
        running.clinician(Clinic::Riverside).await?,
        running.clinician(Clinic::Lakeside).await?,
    );
    let mut patient = fhir::patient();
    here.bundle(&fhir::transaction(&[&patient]))
        .await?
        .expecting(200)?;
    let ours = patient.clone();
    patient["gender"] = json!("male");
    there
        .bundle(&fhir::transaction(&[&patient]))
        .await?
        .expecting(200)?;
    let read = here.read("Patient", fhir::id(&patient)).await?;
    assert_eq!(fhir::without_stamp(&read), ours);
    let read = there.read("Patient", fhir::id(&patient)).await?;
    assert_eq!(fhir::without_stamp(&read), patient);
    Ok(())
}

#[tokio::test]
async fn the_front_desk_sees_and_writes_nothing_clinical() -> anyhow::Result<()> {
    let running = Running::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let desk = running.sign_in(Role::FrontDesk, Clinic::Riverside).await?;
    let officer = running
        .sign_in(Role::PrivacyOfficer, Clinic::Riverside)
        .await?;
    let patient = fhir::patient();
    let observation = fhir::observation(&patient);
    desk.bundle(&fhir::transaction(&[&patient]))
        .await?
        .expecting(200)?;
    clinician
        .bundle(&fhir::transaction(&[&observation]))
        .await?
        .expecting(200)?;
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
    let events = audited::latest(&officer).await?;
    for (answer, action) in [(&read, "read"), (&write, "write"), (&mixed, "write")] {
        assert_eq!(answer.status, 403, "{}", answer.text());
        answer.issues()?;
        let event = audited::of_request(&events, answer.header("x-request-id"));
        let event = event.expect("the refusal is on record");
        assert_eq!(event["outcome"], "refused");
        assert_eq!(event["role"], "front_desk");
        assert_eq!(event["action"], action);
        assert_eq!(event["records"][0]["kind"], "Observation");
    }
    let gone = clinician
        .get(&format!("/fhir/{}", fhir::reference(&neighbour)))
        .await?;
    assert_eq!(
        gone.status, 404,
        "half of the refused transaction was stored"
    );
    // In a batch the refused entry stands alone.
    let batch = desk
        .bundle(&fhir::batch(&[&neighbour, &another]))
        .await?
        .expecting(200)?
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
async fn who_looks_after_people_or_the_trail_sees_no_patient() -> anyhow::Result<()> {
    let running = Running::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let officer = running
        .sign_in(Role::PrivacyOfficer, Clinic::Riverside)
        .await?;
    let patient = fhir::patient();
    clinician
        .bundle(&fhir::transaction(&[&patient]))
        .await?
        .expecting(200)?;
    let id = fhir::id(&patient);
    for role in [Role::SecurityAdmin, Role::PrivacyOfficer] {
        let person = running.sign_in(role, Clinic::Riverside).await?;
        let answers = [
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
        let events = audited::latest(&officer).await?;
        for answer in answers {
            assert_eq!(answer.status, 403, "{role}: {}", answer.text());
            assert!(!answer.text().contains("Wilhelmina"));
            let event = audited::of_request(&events, answer.header("x-request-id"));
            let event = event.expect("the refusal is on record");
            assert_eq!(event["outcome"], "refused");
            assert_eq!(event["role"], role.name());
            assert!(event["person"].is_string());
        }
    }
    Ok(())
}

#[tokio::test]
async fn people_and_the_trail_are_for_those_who_look_after_them() -> anyhow::Result<()> {
    let running = Running::shared()?;
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
    let answer = admin.get("/api/v1/people").await?;
    let people = answer.text();
    assert!(people.contains("@riverside.example") && !people.contains("@lakeside.example"));
    // Names and addresses of people are disclosed on record, and so is a refusal to.
    let clinician = running.clinician(Clinic::Riverside).await?;
    let refused = clinician.get("/api/v1/people").await?;
    let officer = running
        .sign_in(Role::PrivacyOfficer, Clinic::Riverside)
        .await?;
    let events = audited::latest(&officer).await?;
    for (answer, outcome) in [(&answer, "success"), (&refused, "refused")] {
        let event = audited::of_request(&events, answer.header("x-request-id"));
        let event = event.expect("it is on record");
        assert_eq!(event["outcome"], outcome);
        assert_eq!(event["action"], "list");
        assert_eq!(event["records"][0]["kind"], "person");
    }
    Ok(())
}

/// Every route that is not open, with a method that it knows.
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
async fn nobody_gets_anything_without_a_proof_that_holds() -> anyhow::Result<()> {
    let running = Running::shared()?;
    let ended = running
        .sign_in_afresh(Role::Clinician, Clinic::Riverside)
        .await?;
    ended
        .request(Method::DELETE, "/api/v1/tokens/current", "", "")
        .await?
        .expecting(204)?;
    let nobody = running.nobody();
    let random = "A".repeat(43);
    let clients = [
        ("no token", nobody.clone()),
        ("garbage", nobody.with_token("garbage")),
        ("a token never issued", nobody.with_token(&random)),
        ("a token given back", ended),
    ];
    for (method, path) in CLOSED {
        for (what, client) in &clients {
            let answer = client.request(method.parse()?, path, "", "").await?;
            assert_eq!(
                answer.status,
                401,
                "{method} {path} with {what}: {}",
                answer.text()
            );
            assert_eq!(
                answer.header("www-authenticate"),
                "Bearer",
                "{method} {path}"
            );
        }
        if method == "GET" && !path.starts_with("/fhir") && !path.starts_with("/api") {
            let answer = nobody.page(path).await?;
            assert_eq!(answer.status, 303, "{path} in a browser");
            assert_eq!(answer.header("location"), "/sign-in");
        }
    }
    for path in ["/healthz", "/readyz", "/sign-in", "/fhir/metadata"] {
        assert_eq!(nobody.page(path).await?.status, 200, "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn a_read_is_on_record_with_who_and_what() -> anyhow::Result<()> {
    let running = Running::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let officer = running
        .sign_in(Role::PrivacyOfficer, Clinic::Riverside)
        .await?;
    let me = clinician
        .get("/api/v1/session")
        .await?
        .expecting(200)?
        .json()?;
    let patient = fhir::patient();
    let id = fhir::id(&patient);
    let write = clinician
        .bundle(&fhir::transaction(&[&patient]))
        .await?
        .expecting(200)?;
    let read = clinician
        .get(&format!("/fhir/Patient/{id}"))
        .await?
        .expecting(200)?;
    let family = ("family", "Testperson");
    let search = clinician.search(&[family]).await?.expecting(200)?;
    let chart = clinician
        .page(&format!("/patients/{id}"))
        .await?
        .expecting(200)?;
    let events = audited::latest(&officer).await?;
    for (answer, action) in [
        (write, "write"),
        (read, "read"),
        (search, "search"),
        (chart, "read"),
    ] {
        let event = audited::of_request(&events, answer.header("x-request-id"));
        let event = event.unwrap_or_else(|| panic!("no event of the {action}"));
        assert_eq!(event["action"], action);
        assert_eq!(event["outcome"], "success");
        assert_eq!(event["person"], me["person"]["id"]);
        assert_eq!(event["role"], "clinician");
        let named = |kind| audited::names(event, kind, id);
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
async fn a_write_that_contradicts_what_is_stored_is_on_record() -> anyhow::Result<()> {
    let running = Running::shared()?;
    let clinician = running.clinician(Clinic::Lakeside).await?;
    let officer = running
        .sign_in(Role::PrivacyOfficer, Clinic::Lakeside)
        .await?;
    let (patient, other) = (fhir::patient(), fhir::patient());
    let observation = fhir::observation(&patient);
    clinician
        .bundle(&fhir::transaction(&[&patient, &other, &observation]))
        .await?
        .expecting(200)?;
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
        for answer in [transaction, batch] {
            let events = audited::latest(&officer).await?;
            let event = audited::of_request(&events, answer.header("x-request-id"));
            let event = event.unwrap_or_else(|| panic!("{what}: the refusal is not on record"));
            assert_eq!(event["action"], "write", "{what}");
            assert_eq!(event["outcome"], "refused", "{what}");
            assert!(
                audited::names(event, kind, fhir::id(refused)),
                "{what}: {event}"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_refused_sign_in_is_on_record() -> anyhow::Result<()> {
    let running = Running::shared()?;
    let officer = running
        .sign_in(Role::PrivacyOfficer, Clinic::Riverside)
        .await?;
    let account = running.account(Role::PrivacyOfficer, Clinic::Riverside)?;
    let body = json!({"email": account.email, "password": "not the password"});
    let answer = running
        .nobody()
        .request(
            Method::POST,
            "/api/v1/tokens",
            "application/json",
            body.to_string(),
        )
        .await?;
    assert_eq!(answer.status, 401, "{}", answer.text());
    assert!(!answer.text().contains("not the password"));
    let events = audited::latest(&officer).await?;
    let event = audited::of_request(&events, answer.header("x-request-id"));
    let event = event.expect("the refusal is on record");
    assert_eq!(event["outcome"], "refused");
    // An address that nobody has is answered in the same words.
    let body = json!({"email": "nobody@riverside.example", "password": "not the password"});
    let stranger = running
        .nobody()
        .request(
            Method::POST,
            "/api/v1/tokens",
            "application/json",
            body.to_string(),
        )
        .await?;
    assert_eq!(stranger.status, 401);
    assert_eq!(stranger.json()?["detail"], answer.json()?["detail"]);
    Ok(())
}

#[tokio::test]
async fn every_route_that_is_described_asks_for_a_proof_unless_it_says_that_it_is_open()
-> anyhow::Result<()> {
    let running = Running::shared()?;
    let nobody = running.nobody();
    let described = nobody
        .get("/api/v1/openapi.json")
        .await?
        .expecting(200)?
        .json()?;
    let paths = described["paths"].as_object().expect("paths");
    let mut closed = 0;
    for (path, item) in paths {
        let operations = item.as_object().expect("methods").iter();
        // What all methods of a path share stands beside them.
        for (method, operation) in operations.filter(|(name, _)| *name != "parameters") {
            if operation["security"] == json!([]) {
                continue;
            }
            closed += 1;
            let method: Method = method.to_uppercase().parse()?;
            let path = path
                .replace("{type}", "Patient")
                .replace("{id}", "c757873d-ec9a-4326-a141-556f43239520");
            let answer = nobody.request(method, &path, "", "").await?;
            assert_eq!(answer.status, 401, "{path}");
            let kind = answer.header("content-type");
            if path.starts_with("/fhir") {
                answer.issues()?;
            } else {
                assert_eq!(kind, "application/problem+json", "{path}");
            }
        }
    }
    assert!(closed > 12);
    Ok(())
}
