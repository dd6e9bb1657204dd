//! Malformed or identifying parameters of URLs and forms are refused, neither repeated nor logged,
//! and never markup.

use anyhow::Context;
use serde_json::json;
use tests::Clinic;
use tests::RunningStack;
use tests::fhir;

use super::malformed::WRONG_VALUE;

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
        format!("/fhir/Patient?family={WRONG_VALUE}"),
        format!("/fhir/Patient?identifier={WRONG_VALUE}"),
        format!("/fhir/Patient/{id}?name={WRONG_VALUE}"),
        format!("/fhir/Patient/{id}?_count={WRONG_VALUE}%20x"),
        format!("/fhir/Patient/_search?family={WRONG_VALUE}"),
        format!("/fhir?q={WRONG_VALUE}"),
    ] {
        let response = clinician.get(&path).await?;
        assert_eq!(response.status, 400, "{path}");
        response.issues().context(path)?;
        assert!(!response.text().contains(WRONG_VALUE));
    }
    let response = clinician
        .form(
            &format!("/fhir/Patient/_search?family={WRONG_VALUE}"),
            &[("given", "x")],
        )
        .await?;
    assert_eq!(response.status, 400);
    for path in [
        format!("/patients?q={WRONG_VALUE}"),
        format!("/patients/search?q={WRONG_VALUE}"),
        format!("/sign-in?email={WRONG_VALUE}"),
        format!("/patients/{id}?family={WRONG_VALUE}"),
        "/patients/999-48-6911".to_owned(),
    ] {
        let response = clinician.get(&path).await?;
        assert_eq!(response.status, 400, "{path}");
        assert!(!response.text().contains(WRONG_VALUE));
    }
    assert!(!running.logs()?.contains(WRONG_VALUE));
    Ok(())
}

#[tokio::test]
async fn an_invalid_search_form_is_refused_without_its_values() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    for fields in [
        [("birthdate", WRONG_VALUE)],
        [("birthdate", "1961-13-45")],
        [("_count", WRONG_VALUE)],
        [(WRONG_VALUE, "x")],
        [("family:exactly", WRONG_VALUE)],
        [("address-planet", WRONG_VALUE)],
        [("phonetic", WRONG_VALUE)],
        [("gender", WRONG_VALUE)],
        [("_sort", WRONG_VALUE)],
    ] {
        let response = clinician.search(&fields).await?;
        assert_eq!(response.status, 400, "{fields:?}: {}", response.text());
        response.issues()?;
        assert!(
            !response.text().contains(WRONG_VALUE),
            "{}",
            response.text()
        );
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
        .form("/patients/search", &[("wrong", WRONG_VALUE)])
        .await?;
    assert!(form.status.is_client_error(), "{}", form.status);
    assert!(!form.text().contains(WRONG_VALUE));
    assert!(!running.logs()?.contains(WRONG_VALUE));
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
