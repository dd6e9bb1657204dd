//! Resources are returned exactly as they were sent, and no write is lost.

use anyhow::Context;
use serde_json::Value;
use serde_json::json;
use tests::Clinic;
use tests::RunningStack;
use tests::fhir;

/// A patient with everything that a careless store would change: extensions, a contained resource,
/// decimals with significant zeros, letters of many scripts, and a long text.
fn rich_patient() -> anyhow::Result<String> {
    let mut patient = fhir::patient();
    patient["name"] = json!([{
        "family": "Ōe-O'Brien \u{1F9EA} ñandú Þór 大江 \"quoted\" back\\slash",
        "given": ["Zoë\u{301}", "ﷺ", "a\tb"]
    }]);
    patient["contained"] = json!([{
        "resourceType": "Organization",
        "id": "keeper",
        "name": "Contained & <kept>"
    }]);
    patient["managingOrganization"] = json!({"reference": "#keeper"});
    patient["text"] = json!({
        "status": "generated",
        "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{}</div>", "long ".repeat(20_000))
    });
    patient["_birthDate"] = json!({
        "extension": [{
            "url": "http://hl7.org/fhir/StructureDefinition/patient-birthTime",
            "valueDateTime": "1961-04-23T03:04:05.600+02:00"
        }]
    });
    // As text, because the digits matter.
    let numbers = [
        "1.10",
        "1E-5",
        "-0.0",
        "100000000000000000000.000000000000000001",
        "7.0e2",
    ];
    let extensions: Vec<String> = numbers
        .iter()
        .map(|number| format!(r#"{{"url":"http://example.org/n","valueDecimal":{number}}}"#))
        .collect();
    let text = patient.to_string();
    let body = text.strip_suffix('}').context("an object")?;
    Ok(format!(
        r#"{body},"extension":[{}]}}"#,
        extensions.join(",")
    ))
}

#[tokio::test]
async fn a_resource_is_returned_exactly_as_it_was_sent() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let text = rich_patient()?;
    let sent: Value = serde_json::from_str(&text)?;
    let reference = fhir::reference(&sent);
    let bundle = format!(
        r#"{{"resourceType":"Bundle","type":"transaction","entry":[{{"resource":{text},"request":{{"method":"PUT","url":"{reference}"}}}}]}}"#
    );
    clinician.post_fhir(bundle).await?.expect_status(200)?;
    let response = clinician
        .get(&format!("/fhir/{reference}"))
        .await?
        .expect_status(200)?;
    let read = response.json()?;
    assert_eq!(fhir::without_server_meta(&read), sent);
    // Members are in the same order, and numbers have the same digits.
    assert_eq!(
        fhir::without_server_meta(&read).to_string(),
        sent.to_string()
    );
    assert!(response.text().contains(r#""valueDecimal":1.10}"#));
    assert_eq!(read["meta"]["versionId"], "1");
    assert_eq!(response.header("etag"), "W/\"1\"");
    assert_eq!(response.header("content-type"), "application/fhir+json");
    Ok(())
}

#[tokio::test]
async fn a_seeded_resource_of_every_type_is_returned_as_it_was_imported() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let bundle = tests::bundles()?.into_iter().next().context("a bundle")?;
    let clinician = running.clinician(bundle.clinic).await?;
    let mut seen = std::collections::BTreeSet::new();
    for resource in &bundle.resources {
        let kind = resource["resourceType"].as_str().context("a type")?;
        // The generator gives one id to directory resources that differ from file to file.
        let shared = matches!(kind, "Practitioner" | "Organization" | "Location");
        if shared || !seen.insert(kind) {
            continue;
        }
        let read = clinician.read(kind, fhir::id(resource)).await?;
        // References were to entries of the Bundle, and now refer to the same resources by id.
        let read = by_id(&fhir::without_server_meta(&read).to_string());
        assert_eq!(read, by_id(&resource.to_string()), "{kind}");
    }
    assert!(seen.len() > 6, "{seen:?}");
    Ok(())
}

/// The text with every reference reduced to its id.
fn by_id(text: &str) -> String {
    let mut parts = text.split("\"reference\":\"");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (reference, rest) = part.split_once('"').unwrap_or((part, ""));
        let id = reference.rsplit([':', '/']).next().unwrap_or_default();
        out.push_str("\"reference\":\"");
        out.push_str(id);
        out.push('"');
        out.push_str(rest);
    }
    out
}

#[tokio::test]
async fn a_version_increases_with_each_change_and_only_then() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let mut patient = fhir::patient();
    let path = format!("/fhir/{}", fhir::reference(&patient));
    let status = |response: &Value| response["entry"][0]["response"]["status"].clone();
    let etag = |response: &Value| response["entry"][0]["response"]["etag"].clone();
    let first = clinician
        .bundle(&fhir::transaction(&[&patient]))
        .await?
        .expect_status(200)?
        .json()?;
    assert_eq!(
        (status(&first), etag(&first)),
        (json!("201 Created"), json!("W/\"1\""))
    );
    let read = clinician.get(&path).await?.expect_status(200)?;
    assert_eq!(read.header("etag"), "W/\"1\"");
    let again = clinician
        .bundle(&fhir::transaction(&[&patient]))
        .await?
        .expect_status(200)?
        .json()?;
    assert_eq!(
        (status(&again), etag(&again)),
        (json!("200 OK"), json!("W/\"1\""))
    );
    // What the server added is not a change.
    let back = clinician
        .bundle(&fhir::transaction(&[&read.json()?]))
        .await?
        .expect_status(200)?
        .json()?;
    assert_eq!(etag(&back), json!("W/\"1\""));
    patient["gender"] = json!("other");
    let changed = clinician
        .bundle(&fhir::transaction(&[&patient]))
        .await?
        .expect_status(200)?
        .json()?;
    assert_eq!(
        (status(&changed), etag(&changed)),
        (json!("200 OK"), json!("W/\"2\""))
    );
    let read = clinician.get(&path).await?.expect_status(200)?;
    assert_eq!(read.header("etag"), "W/\"2\"");
    assert_eq!(fhir::without_server_meta(&read.json()?), patient);
    Ok(())
}

#[tokio::test]
async fn concurrent_writers_of_one_resource_lose_no_version() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let patient = fhir::patient();
    clinician
        .bundle(&fhir::transaction(&[&patient]))
        .await?
        .expect_status(200)?;
    let base = fhir::observation(&patient);
    let written = |n: usize| {
        let mut observation = base.clone();
        observation["valueQuantity"]["value"] = json!(n);
        let client = clinician.clone();
        async move { client.bundle(&fhir::transaction(&[&observation])).await }
    };
    let responses = futures::future::join_all((0..8).map(written)).await;
    let mut versions = Vec::new();
    for response in responses {
        let response = response?;
        match response.status.as_u16() {
            200 => {
                let etag = response.json()?["entry"][0]["response"]["etag"].clone();
                versions.push(etag.as_str().context("an ETag")?.to_owned());
            }
            409 | 412 | 503 => {
                response.issues()?;
            }
            other => panic!("{other}: {}", response.text()),
        }
    }
    let count = versions.len();
    assert!(count > 0);
    versions.sort();
    versions.dedup();
    assert_eq!(versions.len(), count, "two writers got the same version");
    let read = clinician
        .get(&format!("/fhir/{}", fhir::reference(&base)))
        .await?;
    assert_eq!(
        read.expect_status(200)?.header("etag"),
        format!("W/\"{count}\"")
    );
    Ok(())
}

#[tokio::test]
async fn a_record_number_belongs_to_one_patient() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let number = fhir::random_record_number();
    let one = fhir::patient_of(fhir::random_id(), &number);
    let other = fhir::patient_of(fhir::random_id(), &number);
    clinician
        .bundle(&fhir::transaction(&[&one]))
        .await?
        .expect_status(200)?;
    let response = clinician.bundle(&fhir::transaction(&[&other])).await?;
    assert_eq!(response.status, 409, "{}", response.text());
    assert!(response.places()?[0].starts_with("Bundle.entry[0]"));
    assert!(!response.text().contains(&number));
    Ok(())
}
