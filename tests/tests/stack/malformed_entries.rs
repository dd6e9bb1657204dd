//! Malformed entries of a Bundle: a transaction is refused as a whole, and in a batch the entry
//! alone.

use anyhow::Context;
use serde_json::Value;
use serde_json::json;
use tests::Clinic;
use tests::RunningStack;
use tests::fhir;

use super::malformed::WRONG_VALUE;
use super::malformed::patient_with;

#[tokio::test]
async fn one_invalid_entry_refuses_the_whole_transaction() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let good = fhir::patient();
    let fine = fhir::observation(&good);
    let wrong = patient_with("birthDate", json!(WRONG_VALUE));
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
    let wrong = patient_with("birthDate", json!(WRONG_VALUE));
    let mut unsupported = fhir::patient();
    unsupported["resourceType"] = json!("Subscription");
    let fine = fhir::observation(&good);
    let orphan = fhir::observation(&fhir::patient());
    let bundle = fhir::batch(&[&good, &wrong, &unsupported, &fine, &orphan]);
    let response = clinician.bundle(&bundle).await?.expect_status(200)?;
    assert!(!response.text().contains(WRONG_VALUE));
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

/// Reads of a transaction follow its writes, and fail alone.
#[tokio::test]
async fn a_search_by_an_unknown_parameter_is_refused_in_its_entry() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    for kind in ["transaction", "batch"] {
        let url = format!("Patient?famly={WRONG_VALUE}");
        let entry = json!([{"request": {"method": "GET", "url": url}}]);
        let bundle = json!({"resourceType": "Bundle", "type": kind, "entry": entry});
        let response = clinician.bundle(&bundle).await?.expect_status(200)?;
        assert!(!response.text().contains(WRONG_VALUE));
        let response = response.json()?["entry"][0]["response"].take();
        assert_eq!(response["status"], "400 Bad Request", "{kind}");
        let issue = &response["outcome"]["issue"][0];
        assert_eq!(issue["code"], "not-supported", "{issue}");
    }
    assert!(!running.logs()?.contains(WRONG_VALUE));
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
            json!([{"request": {"method": "TRACE", "url": url}}]),
            "entry[0].request.method",
        ),
        (
            json!([{"request": {"method": "PATCH", "url": url}}]),
            "entry[0].resource",
        ),
        (
            json!([{"resource": patient, "request": {"method": "PUT", "url": url, "ifMatch": WRONG_VALUE}}]),
            "entry[0].request.ifMatch",
        ),
        (
            json!([{"resource": patient, "request": {"method": "POST", "url": "Patient", "ifNoneExist": WRONG_VALUE}}]),
            "entry[0].request.ifNoneExist",
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
        assert!(!response.text().contains(WRONG_VALUE));
    }
    assert_eq!(clinician.get(&format!("/fhir/{url}")).await?.status, 404);
    let many: Vec<Value> = (0..1_001).map(|_| fhir::patient()).collect();
    let many: Vec<&Value> = many.iter().collect();
    let response = clinician.bundle(&fhir::transaction(&many)).await?;
    assert!(response.status.is_client_error(), "{}", response.status);
    response.issues()?;
    let first = format!("/fhir/{}", fhir::reference(many[0]));
    assert_eq!(clinician.get(&first).await?.status, 404);
    assert!(!running.logs()?.contains(WRONG_VALUE));
    Ok(())
}
