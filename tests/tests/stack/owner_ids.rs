//! The ids of patients are random, and a patient shares nothing with an owner that has the same id.

use serde_json::Value;
use serde_json::json;
use tests::Clinic;
use tests::IsolatedStack;
use tests::Role;
use tests::RunningStack;
use tests::fhir;
use uuid::Uuid;
use uuid::uuid;

use super::attack::Fixture;
use super::attack::put;

/// Ids that are derived from other data, or that the stack itself derives: its own organization, an
/// audit year, versions 1, 3, 5, 6 and 7, no version, and version 4 of another variant.
const NOT_RANDOM_IDS: [Uuid; 10] = [
    uuid!("73797374-656d-8000-8000-000000000000"),
    uuid!("73797374-656d-8000-8000-000000000001"),
    uuid!("61756469-7400-8000-8000-0000000007ea"),
    uuid!("c232ab00-9414-11ec-b3c8-9f6bdeced846"),
    uuid!("5df41881-3aed-3515-88a7-2f4a814cf09e"),
    uuid!("2ed6657d-e927-568b-95e1-2665a8aea6a2"),
    uuid!("1ec9414c-232a-6b00-b3c8-9f6bdeced846"),
    uuid!("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"),
    uuid!("00000000-0000-0000-0000-000000000000"),
    uuid!("919108f7-52d1-4320-dbac-f847db4148a8"),
];

#[tokio::test]
async fn a_patient_with_an_id_that_is_not_random_is_refused_with_the_reason() -> anyhow::Result<()>
{
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    for id in NOT_RANDOM_IDS {
        let patient = fhir::patient_of(id, &fhir::random_record_number());
        let response = put(&clinician, &patient).await?;
        let status = response.status.as_u16();
        assert!(
            matches!(status, 400 | 422),
            "{id}: {status} {}",
            response.text()
        );
        let issues = response.issues()?;
        let states_reason = issues.iter().any(|issue| {
            let details = issue.to_string();
            details.contains("random UUID (version 4)")
        });
        assert!(states_reason, "{id}: {}", response.text());
        assert!(
            !response.text().contains("Wilhelmina"),
            "{}",
            response.text()
        );
        let read = clinician.get(&format!("/fhir/Patient/{id}")).await?;
        assert!(read.status.is_client_error(), "{id}: {}", read.status);
    }
    Ok(())
}

fn practitioner() -> Value {
    json!({"resourceType": "Practitioner", "id": fhir::random_id(), "name": [{"family": "Practice"}]})
}

#[tokio::test]
async fn a_patient_with_the_organization_s_own_id_shares_nothing_with_it() -> anyhow::Result<()> {
    let isolated = IsolatedStack::start().await?;
    let fixture = Fixture::on(isolated.running()?).await?;
    let client = &fixture.clinician;
    let before = practitioner();
    put(client, &before).await?.expect_status(200)?;
    let patient = fhir::patient_of(fixture.organization, &fhir::random_record_number());
    let observation = fhir::observation(&patient);
    let response = client
        .bundle(&fhir::transaction(&[&patient, &observation]))
        .await?;
    let accepted = response.status == 200;
    if !accepted {
        // A refusal with an OperationOutcome is correct, too.
        assert!(response.status.is_client_error(), "{}", response.text());
        response.issues()?;
    }
    // The organization's directory is unchanged,
    let after = practitioner();
    put(client, &after).await?.expect_status(200)?;
    for resource in [&before, &after] {
        let read = client.read("Practitioner", fhir::id(resource)).await?;
        assert_eq!(fhir::without_server_meta(&read), *resource);
    }
    // accounts can sign in, and lists are shown,
    let running = &fixture.running;
    running
        .sign_in_with_new_token(Role::FrontDesk, Clinic::Riverside)
        .await?;
    let list = client.page("/patients").await?.expect_status(200)?;
    assert_eq!(list.text().contains("Testperson"), accepted);
    // and a chart, if there is one, has only the patient's records.
    let chart = client
        .page(&format!("/patients/{}", fixture.organization))
        .await?;
    if accepted {
        let chart = chart.expect_status(200)?;
        assert!(chart.text().contains("Heart rate"), "{}", chart.text());
        assert!(!chart.text().contains("Practice"), "{}", chart.text());
        let read = client.read("Patient", fixture.organization).await?;
        assert_eq!(fhir::without_server_meta(&read), patient);
    } else {
        assert_eq!(chart.status, 404, "{}", chart.text());
    }
    Ok(())
}
