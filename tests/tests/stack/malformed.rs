//! Malformed requests are refused with the place of the error, and without repeating the value.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use serde_json::json;
use tests::Clinic;
use tests::RunningStack;
use tests::fhir;

/// A wrong value, which is recognised wherever it is repeated or logged.
const SECRET: &str = "Zyxwvutsrq-Secret";

/// A patient with one element replaced.
fn patient_with(element: &str, value: Value) -> Value {
    let mut patient = fhir::patient();
    patient[element] = value;
    patient
}

#[tokio::test]
async fn a_wrong_value_gets_an_error_with_its_place_and_without_the_value() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    for (element, value, place) in [
        ("name", json!(SECRET), "name"),
        ("name", json!([SECRET]), "name[0]"),
        ("name", json!([{"family": [SECRET]}]), "name[0].family"),
        ("name", json!([{"given": SECRET}]), "name[0].given"),
        ("birthDate", json!(19_610_423), "birthDate"),
        ("birthDate", json!(SECRET), "birthDate"),
        ("birthDate", json!("1961-02-30"), "birthDate"),
        ("active", json!(SECRET), "active"),
        ("gender", json!(7), "gender"),
        ("telecom", json!({"value": SECRET}), "telecom"),
        ("contained", json!(SECRET), "contained"),
        ("identifier", json!([null]), "identifier[0]"),
        (SECRET, json!(1), "?"),
    ] {
        let patient = patient_with(element, value.clone());
        let response = clinician.bundle(&fhir::transaction(&[&patient])).await?;
        assert!(
            matches!(response.status.as_u16(), 400 | 422),
            "{element} {value}: {} {}",
            response.status,
            response.text()
        );
        let place = format!("Bundle.entry[0].resource.{place}");
        let places = response.places()?;
        assert!(
            places.iter().any(|named| place.starts_with(named.as_str())),
            "{element} {value}: {places:?}"
        );
        assert!(!response.text().contains(SECRET), "{}", response.text());
        let read = clinician
            .get(&format!("/fhir/{}", fhir::reference(&patient)))
            .await?;
        assert_eq!(read.status, 404, "{element} {value} was stored");
    }
    assert!(!running.logs()?.contains(SECRET));
    Ok(())
}

/// Bodies that are not valid Bundles, each with its defect.
fn invalid_bundles() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("nothing", Vec::new()),
        (
            "broken",
            format!("{{\"resourceType\":\"Bundle\",\"{SECRET}\"").into(),
        ),
        ("more than one", format!("{{}} {SECRET}").into()),
        ("a list", format!("[\"{SECRET}\"]").into()),
        ("text", format!("\"{SECRET}\"").into()),
        (
            "another resource",
            json!({"resourceType": "Patient", "id": SECRET})
                .to_string()
                .into(),
        ),
        (
            "an unknown type",
            json!({"resourceType": SECRET}).to_string().into(),
        ),
        (
            "a Bundle of another type",
            json!({"resourceType": "Bundle", "type": SECRET})
                .to_string()
                .into(),
        ),
        (
            "entries that are none",
            json!({"resourceType": "Bundle", "type": "batch", "entry": SECRET})
                .to_string()
                .into(),
        ),
        (
            "the same key twice",
            format!("{{\"resourceType\":\"Bundle\",\"type\":\"batch\",\"type\":\"{SECRET}\"}}")
                .into(),
        ),
        (
            "no UTF-8",
            [
                b"{\"resourceType\":\"Bundle\",\"type\":\"".as_slice(),
                &[0xff, 0xfe],
                SECRET.as_bytes(),
                b"\"}",
            ]
            .concat(),
        ),
        (
            "half a surrogate",
            br#"{"resourceType":"Bundle","type":"\ud800"}"#.to_vec(),
        ),
        (
            "a zero byte",
            b"{\"resourceType\":\"Bundle\",\"type\":\"a\0b\"}".to_vec(),
        ),
    ]
}

#[tokio::test]
async fn a_body_that_is_not_a_valid_bundle_gets_an_operation_outcome() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    for (what, body) in invalid_bundles() {
        let response = clinician.post_fhir(body).await?;
        assert_eq!(response.status, 400, "{what}: {}", response.text());
        let issues = response.issues().context(what)?;
        let issue = &issues[0];
        assert!(
            issue["diagnostics"].is_string() || issue["expression"].is_array(),
            "{what}: {issue}"
        );
        assert!(
            !response.text().contains(SECRET),
            "{what}: {}",
            response.text()
        );
    }
    assert!(!running.logs()?.contains(SECRET));
    Ok(())
}

#[tokio::test]
async fn ten_thousand_levels_of_nesting_are_refused() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let (open, close) = ("[".repeat(10_000), "]".repeat(10_000));
    let body = format!(r#"{{"resourceType":"Bundle","type":"batch","entry":{open}{close}}}"#);
    let response = clinician.post_fhir(body).await?;
    assert_eq!(response.status, 400, "{}", response.text());
    response.issues()?;
    let open = r#"{"a":"#.repeat(10_000);
    let response = clinician.post_fhir(open).await?;
    assert_eq!(response.status, 400, "{}", response.text());
    assert_eq!(clinician.get("/readyz").await?.status, 200);
    Ok(())
}

/// The resident_kilobytes memory of a process, in kilobytes.
fn resident_kilobytes(pid: Option<i32>) -> anyhow::Result<u64> {
    let pid = pid.context("the process does not run")?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("VmRSS")?.parse()?)
}

#[tokio::test]
async fn a_body_of_fifty_megabytes_is_refused_and_not_kept_in_memory() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let before = (
        resident_kilobytes(running.status.web.pid)?,
        resident_kilobytes(running.status.app.pid)?,
    );
    let body = format!(
        r#"{{"resourceType":"Bundle","note":"{}"}}"#,
        "x".repeat(50_000_000)
    );
    let response = clinician.post_fhir(body).await?;
    assert_eq!(response.status, 413);
    response.issues()?;
    let status = RunningStack::shared()?.status;
    assert_eq!(status.web.pid, running.status.web.pid, "web was replaced");
    // Concurrent tests need memory for a while; only a kept body would stay.
    let mut grown = true;
    for _ in 0..50 {
        let after = (
            resident_kilobytes(status.web.pid)?,
            resident_kilobytes(status.app.pid)?,
        );
        grown = after.0 > before.0 + 40_000 || after.1 > before.1 + 40_000;
        if !grown {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!grown, "a tier keeps the refused body in memory");
    assert_eq!(clinician.get("/readyz").await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn one_invalid_entry_refuses_the_whole_transaction() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let good = fhir::patient();
    let fine = fhir::observation(&good);
    let wrong = patient_with("birthDate", json!(SECRET));
    let orphan = fhir::observation(&fhir::patient());
    for (bad, place) in [(&wrong, "Bundle.entry[2]"), (&orphan, "Bundle.entry[2]")] {
        let bundle = fhir::transaction(&[&good, &fine, bad]);
        let response = clinician.bundle(&bundle).await?;
        assert!(
            matches!(response.status.as_u16(), 400 | 422),
            "{}",
            response.text()
        );
        let places = response.places()?;
        assert!(
            places.iter().all(|named| named.starts_with(place)),
            "{places:?}"
        );
        for resource in [&good, &fine, bad] {
            let read = clinician
                .get(&format!("/fhir/{}", fhir::reference(resource)))
                .await?;
            assert_eq!(read.status, 404);
        }
    }
    // Without the invalid entry the others are stored.
    clinician
        .bundle(&fhir::transaction(&[&good, &fine]))
        .await?
        .expect_status(200)?;
    Ok(())
}

#[tokio::test]
async fn one_invalid_entry_of_a_batch_is_refused_alone() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let good = fhir::patient();
    let wrong = patient_with("birthDate", json!(SECRET));
    let mut unsupported = fhir::patient();
    unsupported["resourceType"] = json!("Claim");
    let fine = fhir::observation(&good);
    let orphan = fhir::observation(&fhir::patient());
    let bundle = fhir::batch(&[&good, &wrong, &unsupported, &fine, &orphan]);
    let response = clinician.bundle(&bundle).await?.expect_status(200)?;
    assert!(!response.text().contains(SECRET));
    let response = response.json()?;
    let statuses: Vec<&str> = response["entry"]
        .as_array()
        .context("entries")?
        .iter()
        .filter_map(|entry| entry["response"]["status"].as_str()?.get(..3))
        .collect();
    assert_eq!(statuses.len(), 5);
    assert_eq!((statuses[0], statuses[3]), ("201", "201"));
    for index in [1, 2, 4] {
        assert!(statuses[index].starts_with('4'), "{statuses:?}");
        let outcome = &response["entry"][index]["response"]["outcome"];
        let place = outcome["issue"][0]["expression"][0]
            .as_str()
            .unwrap_or_default();
        assert!(
            place.starts_with(&format!("Bundle.entry[{index}]")),
            "{outcome}"
        );
    }
    clinician.read("Patient", fhir::id(&good)).await?;
    clinician.read("Observation", fhir::id(&fine)).await?;
    let read = clinician
        .get(&format!("/fhir/{}", fhir::reference(&orphan)))
        .await?;
    assert_eq!(read.status, 404);
    Ok(())
}

#[tokio::test]
async fn an_id_that_could_identify_a_person_is_refused() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    for id in [
        "M-12345",
        "1",
        "Testperson.Wilhelmina",
        "AAAAAAAA-BBBB-4CCC-8DDD-EEEEEEEEEEEE",
    ] {
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [{
            "resource": {"resourceType": "Patient", "id": id},
            "request": {"method": "PUT", "url": format!("Patient/{id}")}
        }]});
        let response = clinician.bundle(&bundle).await?;
        assert_eq!(response.status, 400, "{id}: {}", response.text());
        assert!(response.places()?[0].starts_with("Bundle.entry[0]"));
        assert!(!response.text().contains(id), "{}", response.text());
        let read = clinician.get(&format!("/fhir/Patient/{id}")).await?;
        assert!(read.status.is_client_error(), "{id}: {}", read.status);
        read.issues()?;
    }
    Ok(())
}

#[tokio::test]
async fn an_identifying_value_in_a_url_is_refused_and_not_logged() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let patient = fhir::patient();
    clinician
        .bundle(&fhir::transaction(&[&patient]))
        .await?
        .expect_status(200)?;
    let id = fhir::id(&patient);
    for path in [
        format!("/fhir/Patient?family={SECRET}"),
        format!("/fhir/Patient?identifier={SECRET}"),
        format!("/fhir/Patient/{id}?name={SECRET}"),
        format!("/fhir/Patient/{id}?_count={SECRET}%20x"),
        format!("/fhir/Patient/_search?family={SECRET}"),
        format!("/fhir?q={SECRET}"),
    ] {
        let response = clinician.get(&path).await?;
        assert_eq!(response.status, 400, "{path}");
        response.issues().context(path)?;
        assert!(!response.text().contains(SECRET));
    }
    let response = clinician
        .form(
            &format!("/fhir/Patient/_search?family={SECRET}"),
            &[("given", "x")],
        )
        .await?;
    assert_eq!(response.status, 400);
    for path in [
        format!("/patients?q={SECRET}"),
        format!("/patients/search?q={SECRET}"),
        format!("/sign-in?email={SECRET}"),
        format!("/patients/{id}?family={SECRET}"),
        "/patients/999-48-6911".to_owned(),
    ] {
        let response = clinician.get(&path).await?;
        assert_eq!(response.status, 400, "{path}");
        assert!(!response.text().contains(SECRET));
    }
    assert!(!running.logs()?.contains(SECRET));
    Ok(())
}

#[tokio::test]
async fn an_invalid_search_form_is_refused_without_its_values() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    for fields in [
        [("birthdate", SECRET)],
        [("birthdate", "1961-13-45")],
        [("_count", SECRET)],
        [(SECRET, "x")],
        [("family:exactly", SECRET)],
        [("address-city", SECRET)],
    ] {
        let response = clinician.search(&fields).await?;
        assert_eq!(response.status, 400, "{fields:?}: {}", response.text());
        response.issues()?;
        assert!(!response.text().contains(SECRET), "{}", response.text());
    }
    let kind = "application/x-www-form-urlencoded";
    for body in [
        b"family=%ff%fe".to_vec(),
        b"family=%zz".to_vec(),
        b"\xff\xfe".to_vec(),
    ] {
        let response = clinician
            .request(http::Method::POST, "/fhir/Patient/_search", kind, body)
            .await?;
        assert!(
            response.status == 400 || response.json()?["total"] == 0,
            "{}: {}",
            response.status,
            response.text()
        );
    }
    let response = clinician
        .request(
            http::Method::POST,
            "/fhir/Patient/_search",
            "application/json",
            "{}",
        )
        .await?;
    assert_eq!(response.status, 415, "{}", response.text());
    response.issues()?;
    let form = clinician
        .form("/patients/search", &[("wrong", SECRET)])
        .await?;
    assert!(form.status.is_client_error(), "{}", form.status);
    assert!(!form.text().contains(SECRET));
    assert!(!running.logs()?.contains(SECRET));
    Ok(())
}

#[tokio::test]
async fn an_entry_with_an_unsupported_request_is_refused() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let patient = fhir::patient();
    let url = fhir::reference(&patient);
    let put = json!({"method": "PUT", "url": url});
    let entries = [
        (
            json!([{"request": {"method": "DELETE", "url": url}}]),
            "entry[0].request.method",
        ),
        (
            json!([{"resource": patient, "request": {"method": "PUT", "url": url, "ifMatch": SECRET}}]),
            "entry[0].request.ifMatch",
        ),
        (
            json!([{"resource": patient, "request": {"method": "POST", "url": "Patient", "ifNoneExist": SECRET}}]),
            "entry[0].request.ifNoneExist",
        ),
        (
            json!([{"request": {"method": "GET", "url": format!("Patient?family={SECRET}")}}]),
            "entry[0].request",
        ),
        (
            json!([{"resource": patient, "request": {"method": "PUT", "url": "Observation/11111111-2222-4333-8444-555555555555"}}]),
            "entry[0]",
        ),
        (
            json!([{"resource": patient, "request": put}, {"resource": patient, "request": put}]),
            "entry[1].request.url",
        ),
        (json!([{"resource": patient}]), "entry[0]"),
        (json!([{"request": put}]), "entry[0].resource"),
    ];
    for (entry, place) in entries {
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entry});
        let response = clinician.bundle(&bundle).await?;
        assert_eq!(response.status, 400, "{place}: {}", response.text());
        let places = response.places()?;
        assert!(
            places
                .iter()
                .all(|named| named.starts_with(&format!("Bundle.{place}"))),
            "{place}: {places:?}"
        );
        assert!(!response.text().contains(SECRET));
    }
    assert_eq!(clinician.get(&format!("/fhir/{url}")).await?.status, 404);
    let many: Vec<Value> = (0..1_001).map(|_| fhir::patient()).collect();
    let many: Vec<&Value> = many.iter().collect();
    let response = clinician.bundle(&fhir::transaction(&many)).await?;
    assert!(response.status.is_client_error(), "{}", response.status);
    response.issues()?;
    let first = format!("/fhir/{}", fhir::reference(many[0]));
    assert_eq!(clinician.get(&first).await?.status, 404);
    assert!(!running.logs()?.contains(SECRET));
    Ok(())
}

#[tokio::test]
async fn markup_in_a_value_is_escaped_on_every_page() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let markup = "<script>alert(1)</script>\"'><img src=x>";
    let number = fhir::random_record_number();
    let mut patient = fhir::patient_of(fhir::random_id(), &number);
    patient["name"][0]["family"] = json!(markup);
    patient["address"][0]["line"] = json!([markup]);
    let mut observation = fhir::observation(&patient);
    observation["code"] = json!({"text": markup});
    clinician
        .bundle(&fhir::transaction(&[&patient, &observation]))
        .await?
        .expect_status(200)?;
    let anonymous = running.anonymous();
    let pages = [
        clinician
            .page(&format!("/patients/{}", fhir::id(&patient)))
            .await?,
        clinician
            .form("/patients/search", &[("q", &number)])
            .await?,
        clinician.form("/patients/search", &[("q", markup)]).await?,
        anonymous
            .form("/sign-in", &[("email", markup), ("password", markup)])
            .await?,
    ];
    for page in pages {
        let text = page.text();
        assert!(
            page.header("content-type").starts_with("text/html"),
            "{text}"
        );
        assert!(
            !text.contains("<script>alert") && !text.contains("<img src=x"),
            "{text}"
        );
        let policy = page.header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
    }
    Ok(())
}
