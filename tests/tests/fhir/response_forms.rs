//! The forms of responses: `HEAD`, `_summary`, `_elements`, `_pretty` and `_format`.

use serde_json::Value;
use serde_json::json;
use tests::fhir;

use super::api::clinician;
use super::api::created;
use super::api::entries;
use super::api::path;
use super::api::searchset;
use super::api::send;

/// The names of the elements of a resource, `meta` excepted.
fn elements(resource: &Value) -> Vec<&str> {
    let object = resource.as_object().into_iter().flatten();
    object
        .map(|(name, _)| &**name)
        .filter(|name| *name != "meta")
        .collect()
}

/// Names in their order.
fn sorted<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<_> = names.into_iter().map(str::to_owned).collect();
    names.sort();
    names
}

#[tokio::test]
async fn head_is_get_without_the_body() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let patient = created(&client, &fhir::patient()).await?;
    let path = path(&patient);
    let id = fhir::id(&patient);
    for path in [
        path.clone(),
        format!("{path}/_history/1"),
        format!("{path}/_history"),
        format!("/fhir/Observation?patient={id}"),
        format!("/fhir/Observation/_history?patient={id}"),
        format!("/fhir/Patient?_id={id}"),
        format!("/fhir/Patient/{}", fhir::random_id()),
        "/fhir/metadata".to_owned(),
    ] {
        let get = client.get(&path).await?;
        let head = send(&client, "HEAD", &path, &[], None).await?;
        assert_eq!(head.status, get.status, "{path}");
        assert!(head.body.is_empty(), "{path}");
        for name in ["etag", "last-modified", "content-type", "cache-control"] {
            assert_eq!(head.header(name), get.header(name), "{path}: {name}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_subset_has_the_requested_and_the_required_elements_and_a_tag() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let patient = created(&client, &fhir::patient()).await?;
    let mut observation = fhir::observation(&patient);
    observation["text"] = json!({
        "status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">72</div>"
    });
    let observation = created(&client, &observation).await?;
    let path = path(&observation);
    let id = fhir::id(&observation).to_string();
    let owner = fhir::id(&patient).to_string();
    let required = ["resourceType", "id", "status", "code"];
    let with = |others: &[&str]| sorted([&required[..], others].concat());
    let all = elements(&observation).into_iter();
    let without_text = sorted(all.filter(|it| *it != "text"));
    for (query, expected) in [
        ("_elements=subject", with(&["subject"])),
        (
            "_elements=subject,effectiveDateTime",
            with(&["effectiveDateTime", "subject"]),
        ),
        ("_elements=note", with(&[])),
        ("_elements=value", with(&["valueQuantity"])),
        (
            "_elements=Observation.subject,Patient.name",
            with(&["subject"]),
        ),
        ("_summary=text", with(&["text"])),
        ("_summary=data", without_text),
    ] {
        let read = client
            .get(&format!("{path}?{query}"))
            .await?
            .expect_status(200)?;
        let (name, value) = query.split_once('=').unwrap_or_default();
        let fields = [("patient", &*owner), ("_id", &*id), (name, value)];
        let found = searchset(&client, "Observation", &fields).await?;
        let history = client.get(&format!("{path}/_history?{query}")).await?;
        let history = history.expect_status(200)?.json()?;
        let version = client.get(&format!("{path}/_history/1?{query}")).await?;
        for subset in [
            read.json()?,
            version.expect_status(200)?.json()?,
            found["entry"][0]["resource"].clone(),
            history["entry"][0]["resource"].clone(),
        ] {
            let names = sorted(elements(&subset));
            assert_eq!(names, expected, "{query}: {subset}");
            assert_eq!(subset["meta"]["tag"][0]["code"], "SUBSETTED", "{query}");
            assert_eq!(subset["meta"]["versionId"], "1", "{query}");
        }
    }
    let whole = client.get(&format!("{path}?_summary=false")).await?;
    assert_eq!(whole.expect_status(200)?.json()?, observation);
    Ok(())
}

#[tokio::test]
async fn a_subset_cannot_be_stored_in_place_of_the_whole() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let patient = created(&client, &fhir::patient()).await?;
    let path = path(&patient);
    let subset = client.get(&format!("{path}?_elements=gender")).await?;
    let subset = subset.expect_status(200)?.json()?;
    let response = send(&client, "PUT", &path, &[], Some(&subset)).await?;
    assert!(
        matches!(response.status.as_u16(), 400 | 422),
        "{}: {}",
        response.status,
        response.text()
    );
    assert_eq!(client.read("Patient", fhir::id(&patient)).await?, patient);
    Ok(())
}

#[tokio::test]
async fn a_count_has_no_resources() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let patient = created(&client, &fhir::patient()).await?;
    for _ in 0..3 {
        created(&client, &fhir::observation(&patient)).await?;
    }
    let id = fhir::id(&patient).to_string();
    for fields in [
        [("patient", &*id), ("_summary", "count")],
        [("patient", &*id), ("_count", "0")],
    ] {
        let found = searchset(&client, "Observation", &fields).await?;
        assert_eq!(found["total"], 3, "{fields:?}: {found}");
        assert!(entries(&found).is_empty(), "{fields:?}: {found}");
        assert!(
            super::api::link(&found, "next").is_none(),
            "{fields:?}: {found}"
        );
    }
    let fields = [("_id", &*id), ("_summary", "count")];
    let found = searchset(&client, "Patient", &fields).await?;
    assert_eq!(found["total"], 1, "{found}");
    assert!(entries(&found).is_empty(), "{found}");
    let fields = [("_id", &*id), ("_total", "none")];
    let found = searchset(&client, "Patient", &fields).await?;
    assert!(found.get("total").is_none(), "{found}");
    let refused = client
        .get(&format!("{}?_summary=count", path(&patient)))
        .await?;
    refused.expect_status(400)?.issues()?;
    Ok(())
}

#[tokio::test]
async fn white_space_and_format_are_as_requested() -> anyhow::Result<()> {
    let (_running, client) = clinician().await?;
    let patient = created(&client, &fhir::patient()).await?;
    let path = path(&patient);
    let plain = client.get(&path).await?.expect_status(200)?;
    let pretty = client
        .get(&format!("{path}?_pretty=true"))
        .await?
        .expect_status(200)?;
    assert_eq!(pretty.json()?, plain.json()?);
    assert!(pretty.text().lines().count() > 10 && plain.text().lines().count() == 1);
    let id = fhir::id(&patient);
    for path in [
        format!("{path}/_history?_pretty=true"),
        format!("{path}/_history/1?_pretty=true"),
        format!("/fhir/Patient?_id={id}&_pretty=true"),
    ] {
        let pretty = client.get(&path).await?.expect_status(200)?;
        assert!(
            pretty.text().lines().count() > 10,
            "{path}: {}",
            pretty.text()
        );
        pretty.json()?;
    }
    for format in [
        "json",
        "application/json",
        "application/fhir%2Bjson",
        "application/fhir+json",
    ] {
        let read = client.get(&format!("{path}?_format={format}")).await?;
        assert_eq!(
            read.expect_status(200)?.header("content-type"),
            "application/fhir+json"
        );
    }
    for (query, status) in [
        ("_format=xml", 406),
        ("_format=application/fhir%2Bxml", 406),
        ("_pretty=maybe", 400),
        ("_summary=most", 400),
        ("_elements=", 400),
        ("_elements=CANARYVALUE", 400),
        ("_elements=gender,CANARYVALUE", 400),
        ("_elements=Patient.CANARYVALUE", 400),
        ("_elements=CANARYVALUE.name", 400),
        ("name=CANARYVALUE", 400),
        ("CANARYVALUE", 400),
    ] {
        let refused = client.get(&format!("{path}?{query}")).await?;
        assert_eq!(refused.status, status, "{query}: {}", refused.text());
        refused.issues()?;
        assert!(!refused.text().contains("CANARYVALUE"), "{query}");
    }
    Ok(())
}
