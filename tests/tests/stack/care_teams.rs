//! Care teams: the charts that clinicians reach where their organization limits them.

use std::time::Duration;

use http::Method;
use serde_json::json;
use tests::Client;
use tests::IsolatedStack;
use tests::Role;
use tests::RunningStack;
use tests::TestResponse;
use tests::fhir;

use super::closed_clinic::ClosedClinic;
use super::closed_clinic::set_chart_access;
use super::enrolled_account::person_of;

async fn patch(client: &Client, path: &str, operations: &str) -> anyhow::Result<TestResponse> {
    let kind = "application/json-patch+json";
    client
        .request(Method::PATCH, path, kind, operations.to_owned())
        .await
}

/// Requests that concern the patient's chart.
async fn chart_requests(
    clinic: &ClosedClinic,
    client: &Client,
) -> anyhow::Result<Vec<(&'static str, TestResponse)>> {
    let observation = format!("/fhir/{}", fhir::reference(&clinic.observation));
    let patient = clinic.patient_id();
    let of_patient = format!("/fhir/Observation?patient={patient}");
    let compartment = format!("/fhir/Patient/{patient}/Observation");
    let history = format!("/fhir/Observation/_history?patient={patient}");
    let fields = [
        ("patient", patient.to_string()),
        ("code", "8867-4".to_owned()),
    ];
    let fields = fields
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let another = fhir::observation(&clinic.patient);
    let matching = r#"[{"op":"test","path":"/status","value":"final"}]"#;
    let other = r#"[{"op":"test","path":"/status","value":"amended"}]"#;
    Ok(vec![
        ("read", client.get(&observation).await?),
        (
            "vread",
            client.get(&format!("{observation}/_history/1")).await?,
        ),
        (
            "history",
            client.get(&format!("{observation}/_history")).await?,
        ),
        ("history of the type", client.get(&history).await?),
        ("search", client.get(&of_patient).await?),
        ("compartment", client.get(&compartment).await?),
        (
            "search by form",
            client.form("/fhir/Observation/_search", &fields).await?,
        ),
        (
            "a patch that matches",
            patch(client, &observation, matching).await?,
        ),
        (
            "a patch that does not match",
            patch(client, &observation, other).await?,
        ),
        (
            "create",
            client.bundle(&fhir::transaction(&[&another])).await?,
        ),
        ("care team", client.get(&clinic.care_team()).await?),
    ])
}

#[tokio::test]
async fn a_clinician_outside_the_care_team_reaches_demographics_and_nothing_else()
-> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinic = ClosedClinic::new(&running).await?;
    for (what, response) in chart_requests(&clinic, &clinic.member).await? {
        let status = response.status;
        let is_expected = status.is_success() || what == "a patch that does not match";
        assert!(is_expected, "{what}: {status} {}", response.text());
    }
    for (what, response) in chart_requests(&clinic, &clinic.outsider).await? {
        assert_eq!(response.status, 403, "{what}: {}", response.text());
        assert!(!response.text().contains("Heart rate"), "{what}");
    }
    let observation = format!("/fhir/{}", fhir::reference(&clinic.observation));
    let deleted = clinic
        .outsider
        .request(Method::DELETE, &observation, "", "");
    assert_eq!(deleted.await?.status, 403);
    let patient = clinic.patient_id();
    let read = clinic
        .outsider
        .get(&format!("/fhir/Patient/{patient}"))
        .await?;
    assert_eq!(read.status, 200);
    let all = format!("/fhir/Patient/{patient}/$everything");
    let all = clinic.outsider.get(&all).await?;
    assert!(!all.text().contains("Heart rate"), "{}", all.text());
    // In a batch, the entry alone is refused.
    let own = fhir::patient();
    let another = fhir::observation(&clinic.patient);
    let batch = fhir::batch(&[&own, &another]);
    let batch = clinic.outsider.bundle(&batch).await?;
    let batch = batch.expect_status(200)?.json()?;
    assert_eq!(batch["entry"][0]["response"]["status"], "201 Created");
    assert_eq!(batch["entry"][1]["response"]["status"], "403 Forbidden");
    // A transaction that stores a Patient opens the chart of no other one.
    let own = fhir::patient();
    let mixed = fhir::transaction(&[&own, &clinic.patient, &another]);
    assert_eq!(clinic.outsider.bundle(&mixed).await?.status, 403);
    assert_eq!(clinic.read_by(&clinic.member).await?, 200);
    Ok(())
}

#[tokio::test]
async fn a_member_is_added_and_removed_at_once() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinic = ClosedClinic::new(&running).await?;
    let desk = clinic.client(&running, Role::FrontDesk).await?;
    let (path, person) = (clinic.care_team(), clinic.outsider_id.as_str());
    let add = async |client: &Client, person: &str| {
        client.post_json(&path, &json!({"person": person})).await
    };
    assert_eq!(add(&clinic.outsider, person).await?.status, 403);
    assert_eq!(clinic.read_by(&clinic.outsider).await?, 403);
    // The front desk, which reads no clinical record, and a member.
    for client in [&desk, &clinic.member] {
        for _ in 0..2 {
            assert_eq!(add(client, person).await?.status, 204);
            assert_eq!(clinic.read_by(&clinic.outsider).await?, 200);
        }
        let team = client.get(&path).await?.expect_status(200)?.json()?;
        assert_eq!(team["members"].as_array().map(Vec::len), Some(2));
        assert_eq!(team["members"][1]["person"], person);
        let member = format!("{path}/{person}");
        for _ in 0..2 {
            let removed = client.request(Method::DELETE, &member, "", "").await?;
            assert_eq!(removed.status, 204);
            assert_eq!(clinic.read_by(&clinic.outsider).await?, 403);
        }
    }
    assert_eq!(clinic.read_by(&desk).await?, 403);
    // A person that is no clinician, one of another organization, and a patient of another organization.
    let own = ClosedClinic::new(&running).await?;
    for other in [&person_of(&desk).await?, &own.outsider_id] {
        assert_eq!(add(&clinic.member, other).await?.status, 400);
    }
    let elsewhere = own.care_team();
    let elsewhere = desk.post_json(&elsewhere, &json!({"person": person}));
    assert_eq!(elsewhere.await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn the_organization_opens_and_limits_all_charts() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinic = ClosedClinic::new(&running).await?;
    for (access, status) in [
        ("organization", 200),
        ("care-team", 403),
        ("organization", 200),
    ] {
        set_chart_access(&clinic.admin, access).await?;
        // Where charts are not limited, an instance may learn of the change by its next poll.
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(clinic.read_by(&clinic.outsider).await?, status, "{access}");
    }
    let body = json!({"chart_access": "organization"}).to_string();
    let refused = clinic.member.request(
        Method::PATCH,
        "/api/v1/organization",
        "application/json",
        body,
    );
    assert_eq!(refused.await?.status, 403);
    Ok(())
}

#[tokio::test]
async fn another_instance_knows_of_a_new_member_at_once_and_of_a_removal() -> anyhow::Result<()> {
    let isolated = IsolatedStack::start().await?;
    let beside = isolated
        .stack
        .start_second_instance(isolated.stack.binaries())
        .await?;
    let (one, other) = (isolated.running()?, RunningStack::of(beside.status())?);
    let clinic = ClosedClinic::new(&one).await?;
    let elsewhere = other.anonymous().with_token(clinic.outsider.token());
    let member = format!("{}/{}", clinic.care_team(), clinic.outsider_id);
    for _ in 0..10 {
        assert_eq!(clinic.read_by(&elsewhere).await?, 403);
        let body = json!({"person": clinic.outsider_id});
        let added = clinic.member.post_json(&clinic.care_team(), &body).await?;
        assert_eq!(added.status, 204);
        assert_eq!(clinic.read_by(&elsewhere).await?, 200);
        let removed = clinic.member.request(Method::DELETE, &member, "", "");
        assert_eq!(removed.await?.status, 204);
    }
    Ok(())
}
