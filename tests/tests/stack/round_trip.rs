//! What goes in comes out whole, and no write is lost.

use anyhow::Context;
use serde_json::Value;
use serde_json::json;
use tests::Clinic;
use tests::Running;
use tests::fhir;

/// A patient with everything that a careless store would bend: extensions, a contained resource, numbers
/// whose spelling says how exact they are, letters of many scripts, and a long text.
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
    // As text, since the digits are the point.
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
async fn a_resource_comes_back_as_it_was_sent_to_the_last_digit() -> anyhow::Result<()> {
    let running = Running::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let text = rich_patient()?;
    let sent: Value = serde_json::from_str(&text)?;
    let reference = fhir::reference(&sent);
    let bundle = format!(
        r#"{{"resourceType":"Bundle","type":"transaction","entry":[{{"resource":{text},"request":{{"method":"PUT","url":"{reference}"}}}}]}}"#
    );
    clinician.post_fhir(bundle).await?.expecting(200)?;
    let answer = clinician
        .get(&format!("/fhir/{reference}"))
        .await?
        .expecting(200)?;
    let read = answer.json()?;
    assert_eq!(fhir::without_stamp(&read), sent);
    // In the same order, and each number as it was written.
    assert_eq!(fhir::without_stamp(&read).to_string(), sent.to_string());
    assert!(answer.text().contains(r#""valueDecimal":1.10}"#));
    assert_eq!(read["meta"]["versionId"], "1");
    assert_eq!(answer.header("etag"), "W/\"1\"");
    assert_eq!(answer.header("content-type"), "application/fhir+json");
    Ok(())
}

#[tokio::test]
async fn every_kind_of_the_seeded_records_comes_back_as_imported() -> anyhow::Result<()> {
    let running = Running::shared()?;
    let bundle = tests::bundles()?.into_iter().next().context("a bundle")?;
    let clinician = running.clinician(bundle.clinic).await?;
    let mut seen = std::collections::BTreeSet::new();
    for resource in &bundle.resources {
        let kind = resource["resourceType"].as_str().context("a type")?;
        // The generator gives one id to directory entries that differ from file to file.
        let shared = matches!(kind, "Practitioner" | "Organization" | "Location");
        if shared || !seen.insert(kind) {
            continue;
        }
        let read = clinician.read(kind, fhir::id(resource)).await?;
        // References were to entries of the bundle; they lead to the same resources now.
        let read = by_id(&fhir::without_stamp(&read).to_string());
        assert_eq!(read, by_id(&resource.to_string()), "{kind}");
    }
    assert!(seen.len() > 6, "{seen:?}");
    Ok(())
}

/// The text with every reference reduced to the id it ends in.
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
async fn versions_move_with_changes_and_with_nothing_else() -> anyhow::Result<()> {
    let running = Running::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let mut patient = fhir::patient();
    let path = format!("/fhir/{}", fhir::reference(&patient));
    let status = |answer: &Value| answer["entry"][0]["response"]["status"].clone();
    let etag = |answer: &Value| answer["entry"][0]["response"]["etag"].clone();
    let first = clinician
        .bundle(&fhir::transaction(&[&patient]))
        .await?
        .expecting(200)?
        .json()?;
    assert_eq!(
        (status(&first), etag(&first)),
        (json!("201 Created"), json!("W/\"1\""))
    );
    let read = clinician.get(&path).await?.expecting(200)?;
    assert_eq!(read.header("etag"), "W/\"1\"");
    let again = clinician
        .bundle(&fhir::transaction(&[&patient]))
        .await?
        .expecting(200)?
        .json()?;
    assert_eq!(
        (status(&again), etag(&again)),
        (json!("200 OK"), json!("W/\"1\""))
    );
    // What the server added is not a change either.
    let back = clinician
        .bundle(&fhir::transaction(&[&read.json()?]))
        .await?
        .expecting(200)?
        .json()?;
    assert_eq!(etag(&back), json!("W/\"1\""));
    patient["gender"] = json!("other");
    let changed = clinician
        .bundle(&fhir::transaction(&[&patient]))
        .await?
        .expecting(200)?
        .json()?;
    assert_eq!(
        (status(&changed), etag(&changed)),
        (json!("200 OK"), json!("W/\"2\""))
    );
    let read = clinician.get(&path).await?.expecting(200)?;
    assert_eq!(read.header("etag"), "W/\"2\"");
    assert_eq!(fhir::without_stamp(&read.json()?), patient);
    Ok(())
}

#[tokio::test]
async fn two_writers_of_one_resource_lose_nothing() -> anyhow::Result<()> {
    let running = Running::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let patient = fhir::patient();
    clinician
        .bundle(&fhir::transaction(&[&patient]))
        .await?
        .expecting(200)?;
    let base = fhir::observation(&patient);
    let written = |n: usize| {
        let mut observation = base.clone();
        observation["valueQuantity"]["value"] = json!(n);
        let client = clinician.clone();
        async move { client.bundle(&fhir::transaction(&[&observation])).await }
    };
    let answers = futures::future::join_all((0..8).map(written)).await;
    let mut versions = Vec::new();
    for answer in answers {
        let answer = answer?;
        match answer.status.as_u16() {
            200 => {
                let etag = answer.json()?["entry"][0]["response"]["etag"].clone();
                versions.push(etag.as_str().context("an ETag")?.to_owned());
            }
            409 | 412 | 503 => {
                answer.issues()?;
            }
            other => panic!("{other}: {}", answer.text()),
        }
    }
    let count = versions.len();
    assert!(count > 0);
    versions.sort();
    versions.dedup();
    assert_eq!(
        versions.len(),
        count,
        "two writers were told the same version"
    );
    let read = clinician
        .get(&format!("/fhir/{}", fhir::reference(&base)))
        .await?;
    assert_eq!(
        read.expecting(200)?.header("etag"),
        format!("W/\"{count}\"")
    );
    Ok(())
}

#[tokio::test]
async fn a_record_number_belongs_to_one_patient() -> anyhow::Result<()> {
    let running = Running::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let number = fhir::random_record_number();
    let one = fhir::patient_of(fhir::random_id(), &number);
    let other = fhir::patient_of(fhir::random_id(), &number);
    clinician
        .bundle(&fhir::transaction(&[&one]))
        .await?
        .expecting(200)?;
    let answer = clinician.bundle(&fhir::transaction(&[&other])).await?;
    assert_eq!(answer.status, 409, "{}", answer.text());
    assert!(answer.places()?[0].starts_with("Bundle.entry[0]"));
    assert!(!answer.text().contains(&number));
    Ok(())
}
