//! Emergency access to charts, and its review.

use anyhow::Context as _;
use serde_json::Value;
use serde_json::json;
use tests::Client;
use tests::Role;
use tests::RunningStack;
use tests::TestResponse;
use tests::audit_trail;
use tests::fhir;

use super::closed_clinic::ClosedClinic;

const REASON: &str = "Unconscious in the waiting room";

async fn begin(clinic: &ClosedClinic, client: &Client) -> anyhow::Result<TestResponse> {
    let path = format!("/api/v1/patients/{}/emergency-access", clinic.patient_id());
    client.post_json(&path, &json!({"reason": REASON})).await
}

async fn open_reviews(officer: &Client) -> anyhow::Result<Vec<Value>> {
    let listed = officer.get("/api/v1/emergency-accesses").await?;
    let listed = listed.expect_status(200)?.json()?;
    let all = listed["emergency_accesses"].as_array().context("a list")?;
    Ok(all
        .iter()
        .filter(|it| it["review"].is_null())
        .cloned()
        .collect())
}

#[tokio::test]
async fn an_emergency_access_opens_one_chart_and_alerts_the_privacy_officer() -> anyhow::Result<()>
{
    let running = RunningStack::shared()?;
    let clinic = ClosedClinic::new(&running).await?;
    let officer = clinic.client(&running, Role::PrivacyOfficer).await?;
    let desk = clinic.client(&running, Role::FrontDesk).await?;
    for other in [&officer, &desk, &clinic.admin] {
        assert_eq!(begin(&clinic, other).await?.status, 403);
    }
    // A chart that is open already, and a patient of another organization.
    assert_eq!(begin(&clinic, &clinic.member).await?.status, 400);
    let elsewhere = ClosedClinic::new(&running).await?;
    assert_eq!(begin(&elsewhere, &clinic.outsider).await?.status, 404);

    let chart = format!("/patients/{}", clinic.patient_id());
    let closed = clinic.outsider.page(&chart).await?;
    assert_eq!(closed.status, 303);
    let form = clinic.outsider.page(closed.header("location")).await?;
    assert!(form.text().contains("not in this patient’s care team"));
    let begun = begin(&clinic, &clinic.outsider).await?.expect_status(201)?;
    assert!(begun.json()?["ends_at"].is_string());
    assert_eq!(clinic.read_by(&clinic.outsider).await?, 200);
    let page = clinic.outsider.page(&chart).await?.expect_status(200)?;
    assert!(page.text().contains("Emergency access until"));
    assert_eq!(begin(&clinic, &clinic.outsider).await?.status, 400);

    let open = open_reviews(&officer).await?;
    assert_eq!(open.len(), 1);
    assert_eq!(open[0]["reason"], REASON);
    assert_eq!(open[0]["person"], clinic.outsider_id);
    assert_eq!(open[0]["patient"], json!(clinic.patient_id()));
    let reviews = officer.page("/reviews").await?.expect_status(200)?;
    assert!(reviews.text().contains(REASON) && reviews.text().contains("to review"));
    let alarm = "a chart was opened outside its care team";
    running.expect_alert(&begun, alarm).await?;
    assert!(!running.logs()?.contains(REASON));
    // What is opened so is on record as such.
    let observation = format!("/fhir/{}", fhir::reference(&clinic.observation));
    let read = clinic.outsider.get(&observation).await?;
    let events = audit_trail::latest_events(&officer).await?;
    let event = audit_trail::event_of_request(&events, read.header("x-request-id"));
    assert_eq!(event.context("the event of the read")?["purpose"], "BTG");
    assert!(events.iter().any(|event| event["action"] == "break-glass"));
    Ok(())
}

#[tokio::test]
async fn a_review_is_signed_off_once_by_a_privacy_officer_with_a_finding() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinic = ClosedClinic::new(&running).await?;
    let officer = clinic.client(&running, Role::PrivacyOfficer).await?;
    begin(&clinic, &clinic.outsider).await?.expect_status(201)?;
    let open = open_reviews(&officer).await?;
    let id = open[0]["id"].as_str().context("an id")?;
    let path = format!("/api/v1/emergency-accesses/{id}/review");
    let review = json!({"appropriate": true, "finding": "The ambulance report agrees."});
    for other in [&clinic.outsider, &clinic.member, &clinic.admin] {
        assert_eq!(other.post_json(&path, &review).await?.status, 403);
    }
    let elsewhere = ClosedClinic::new(&running).await?;
    let elsewhere = elsewhere.client(&running, Role::PrivacyOfficer).await?;
    assert_eq!(elsewhere.post_json(&path, &review).await?.status, 404);
    let empty = json!({"appropriate": true, "finding": " "});
    assert_eq!(officer.post_json(&path, &empty).await?.status, 400);
    // As a form, which a refusal shows again as it was sent.
    let page = format!("/reviews/{id}");
    let long = "x".repeat(501);
    let refused = officer
        .form(&page, &[("appropriate", "false"), ("finding", &long)])
        .await?;
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains(&long));
    assert_eq!(officer.post_json(&path, &review).await?.status, 204);
    assert_eq!(officer.post_json(&path, &review).await?.status, 400);
    assert!(open_reviews(&officer).await?.is_empty());
    let page = officer.page("/reviews").await?;
    assert!(page.text().contains("The ambulance report agrees."));
    let events = audit_trail::latest_events(&officer).await?;
    assert!(events.iter().any(|event| event["action"] == "review"));
    Ok(())
}
