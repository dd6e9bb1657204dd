//! The budgets of the app per caller, which protect it and the other callers.

use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use futures::future::try_join_all;
use serde_json::Value;
use serde_json::json;
use tests::Clinic;
use tests::IsolatedStack;
use tests::Role;
use tests::RunningStack;
use tests::audit_trail;
use tests::fhir;

/// The limit of a response in bytes: `app/src/limits.rs`, with an allowance for what surrounds the
/// entries.
const MAX_RESPONSE: usize = 17 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn entries_beyond_the_length_of_a_response_are_refused_and_the_others_succeed()
-> anyhow::Result<()> {
    // Isolated, because the test uses up the share of a caller that other tests use, too.
    let isolated = IsolatedStack::start().await?;
    let running = isolated.running()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let (large, small) = (fhir::large_patient(), fhir::patient());
    clinician
        .bundle(&fhir::transaction(&[&large]))
        .await?
        .expect_status(200)?;
    let mut batch: Value = serde_json::from_str(&fhir::repeated_reads(&large, 30))?;
    let write = json!({
        "resource": small,
        "request": {"method": "PUT", "url": fhir::reference(&small)}
    });
    batch["entry"]
        .as_array_mut()
        .context("entries")?
        .push(write);
    let response = clinician.bundle(&batch).await?.expect_status(200)?;
    assert!(response.body.len() < MAX_RESPONSE);
    let entries = response.json()?["entry"]
        .as_array()
        .cloned()
        .context("entries")?;
    assert_eq!(entries.len(), 31);
    let status = |entry: &Value| {
        entry["response"]["status"]
            .as_str()
            .unwrap_or("")
            .to_owned()
    };
    let read = entries
        .iter()
        .take_while(|it| status(it) == "200 OK")
        .count();
    assert!((10..20).contains(&read), "{read} entries were read");
    for entry in &entries[read..30] {
        assert_eq!(status(entry), "413 Content Too Large");
        let issue = &entry["response"]["outcome"]["issue"][0];
        assert_eq!(issue["code"], "too-costly", "{issue}");
    }
    assert_eq!(status(&entries[30]), "201 Created");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_with_too_long_a_response_is_truncated_with_a_notice() -> anyhow::Result<()> {
    // Isolated, because the test uses up the share of a caller that other tests use, too.
    let isolated = IsolatedStack::start().await?;
    let running = isolated.running()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let number = fhir::random_record_number();
    let patients: Vec<Value> = (0..20)
        .map(|_| {
            let mut patient = fhir::large_patient();
            patient["telecom"] =
                json!([{"system": "email", "value": format!("{number}@example.org")}]);
            patient
        })
        .collect();
    for patients in patients.chunks(4) {
        let resources: Vec<_> = patients.iter().collect();
        clinician
            .bundle(&fhir::transaction(&resources))
            .await?
            .expect_status(200)?;
    }
    let email = format!("{number}@example.org");
    let response = clinician
        .search(&[("email", &email)])
        .await?
        .expect_status(200)?;
    assert!(response.body.len() < MAX_RESPONSE);
    let bundle = response.json()?;
    assert_eq!(bundle["total"], 20);
    let entries = bundle["entry"].as_array().context("entries")?;
    let (outcome, found) = entries.split_last().context("entries")?;
    assert!(
        (10..20).contains(&found.len()),
        "{} patients were returned",
        found.len()
    );
    assert_eq!(outcome["search"]["mode"], "outcome");
    Ok(())
}

#[tokio::test]
async fn a_role_without_permission_is_refused_before_its_body_is_read() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Lakeside).await?;
    let officer = running
        .sign_in(Role::PrivacyOfficer, Clinic::Lakeside)
        .await?;
    for body in ["{".to_owned(), fhir::dense_body()] {
        // For a role that may send Bundles, the body itself is refused.
        let response = clinician.post_fhir(body.clone()).await?;
        assert!(
            [400, 413].contains(&response.status.as_u16()),
            "{}",
            response.status
        );
        let response = officer.post_fhir(body).await?.expect_status(403)?;
        let events = audit_trail::latest_events(&officer).await?;
        let event = audit_trail::event_of_request(&events, response.header("x-request-id"));
        let event = event.context("an audit event of the refusal")?;
        assert_eq!(event["outcome"], "refused");
        assert_eq!(event["records"][0]["kind"], "Bundle");
    }
    let path = "/fhir/Patient/_search";
    let form = "application/x-www-form-urlencoded";
    let search = officer.request(http::Method::POST, path, form, "nothing=that+is+known");
    search.await?.expect_status(403)?;
    Ok(())
}

#[tokio::test]
async fn a_search_is_limited_to_few_parameters_and_values() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    for (parameter, count) in [("identifier=a", 4_500), ("birthdate=ne1980", 3_700)] {
        let form = vec![parameter; count].join("&");
        let path = "/fhir/Patient/_search";
        let kind = "application/x-www-form-urlencoded";
        let response = clinician
            .request(http::Method::POST, path, kind, form)
            .await?;
        let issues = response.expect_status(413)?.issues()?;
        let why = issues[0]["diagnostics"].as_str().unwrap_or_default();
        assert!(why.contains("at most 32 parameters"), "{why}");
    }
    let values = vec!["ne1980"; 65].join(",");
    clinician
        .search(&[("birthdate", &values)])
        .await?
        .expect_status(413)?;
    let values = vec!["999-12-3456"; 21].join(",");
    clinician
        .search(&[("identifier", &values)])
        .await?
        .expect_status(413)?;
    let values = vec!["ne1980"; 64].join(",");
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let response = clinician.search(&[("birthdate", &values)]).await?;
        // A new stack may still be building the list of patients.
        if response.status != 503 || Instant::now() > deadline {
            response.expect_status(200)?;
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn an_operation_outcome_does_not_grow_with_the_request() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let form = "x=&".repeat(21_000);
    let kind = "application/x-www-form-urlencoded";
    let path = "/fhir/Patient/_search";
    let response = clinician
        .request(http::Method::POST, path, kind, form)
        .await?;
    assert!(response.body.len() < 2_000, "{} bytes", response.body.len());
    let mut patient = fhir::patient();
    patient["name"] = (0..20_000).map(|_| json!({"nick": 1})).collect();
    let response = clinician.bundle(&fhir::transaction(&[&patient])).await?;
    assert_eq!(response.status, 422);
    assert!(
        response.body.len() < 20_000,
        "{} bytes",
        response.body.len()
    );
    let issues = response.issues()?;
    assert_eq!(issues.len(), 51);
    let last = issues[50]["diagnostics"].as_str().unwrap_or_default();
    assert!(last.contains("19950 more"), "{last}");
    // Each entry of a batch has a response, but not each of them has an OperationOutcome.
    let entries = vec!["{}"; 20_000].join(",");
    let body = format!(r#"{{"resourceType":"Bundle","type":"batch","entry":[{entries}]}}"#);
    let response = clinician.post_fhir(body).await?.expect_status(200)?;
    assert!(
        response.body.len() < 2_000_000,
        "{} bytes",
        response.body.len()
    );
    let entries = response.json()?["entry"]
        .as_array()
        .cloned()
        .context("entries")?;
    assert_eq!(entries.len(), 20_000);
    assert_eq!(
        entries[0]["response"]["outcome"]["resourceType"],
        "OperationOutcome"
    );
    assert_eq!(entries[19_999]["response"]["status"], "400 Bad Request");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_beyond_a_caller_s_budget_leave_one_summary_event() -> anyhow::Result<()> {
    let isolated = IsolatedStack::start().await?;
    let running = isolated.running()?;
    let officer = running
        .sign_in(Role::PrivacyOfficer, Clinic::Riverside)
        .await?;
    let mut attacker = running.attacker().await?;
    let events = "SELECT COUNT(*) FROM audit_events";
    let before = attacker.number(events, &[]).await?;
    let patient = fhir::patient();
    let path = format!("/fhir/{}", fhir::reference(&patient));
    let body = fhir::batch(&[&patient]);
    for _ in 0..25 {
        let refused = (0..10).map(|_| async {
            officer.get(&path).await?.expect_status(403)?;
            officer.bundle(&body).await?.expect_status(403)
        });
        try_join_all(refused).await?;
    }
    // 500 refusals: 20 events per minute, and at most one more minute with the summary of the
    // first.
    let recorded = attacker.number(events, &[]).await? - before;
    assert!((20..=41).contains(&recorded), "{recorded} events");
    Ok(())
}
