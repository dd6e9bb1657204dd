//! A patient's id is random, and what it is equal to by chance or by intent shares nothing with the patient.

use serde_json::Value;
use serde_json::json;
use tests::Apart;
use tests::Clinic;
use tests::Role;
use tests::Running;
use tests::fhir;
use uuid::Uuid;
use uuid::uuid;

use super::attack::Scene;
use super::attack::put;

/// Ids that are computed from something, or that this stack derives: its own organization, an audit year, versions
/// 1, 3, 5, 6 and 7, no version at all, and version 4 of another variant.
const NOT_RANDOM: [Uuid; 10] = [
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
async fn a_patient_whose_id_is_not_random_is_refused_and_told_why() -> anyhow::Result<()> {
    let running = Running::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    for id in NOT_RANDOM {
        let patient = fhir::patient_of(id, &fhir::random_record_number());
        let answer = put(&clinician, &patient).await?;
        let status = answer.status.as_u16();
        assert!(
            matches!(status, 400 | 422),
            "{id}: {status} {}",
            answer.text()
        );
        let issues = answer.issues()?;
        let told = issues.iter().any(|issue| {
            let details = issue.to_string();
            details.contains("random UUID (version 4)")
        });
        assert!(told, "{id}: {}", answer.text());
        assert!(!answer.text().contains("Wilhelmina"), "{}", answer.text());
        let read = clinician.get(&format!("/fhir/Patient/{id}")).await?;
        assert!(read.status.is_client_error(), "{id}: {}", read.status);
    }
    Ok(())
}

fn practitioner() -> Value {
    json!({"resourceType": "Practitioner", "id": fhir::random_id(), "name": [{"family": "Practice"}]})
}

#[tokio::test]
async fn a_patient_with_the_organizations_own_id_shares_nothing_with_it() -> anyhow::Result<()> {
    let apart = Apart::up().await?;
    let scene = Scene::on(apart.running()?).await?;
    let client = &scene.clinician;
    let before = practitioner();
    put(client, &before).await?.expecting(200)?;
    let patient = fhir::patient_of(scene.organization, &fhir::random_record_number());
    let observation = fhir::observation(&patient);
    let answer = client
        .bundle(&fhir::transaction(&[&patient, &observation]))
        .await?;
    let accepted = answer.status == 200;
    if !accepted {
        // Refused is right too, if it says so.
        assert!(answer.status.is_client_error(), "{}", answer.text());
        answer.issues()?;
    }
    // The directory is the organization's as before,
    let after = practitioner();
    put(client, &after).await?.expecting(200)?;
    for resource in [&before, &after] {
        let read = client.read("Practitioner", fhir::id(resource)).await?;
        assert_eq!(fhir::without_stamp(&read), *resource);
    }
    // people sign in, and lists are shown,
    let running = &scene.running;
    running
        .sign_in_afresh(Role::FrontDesk, Clinic::Riverside)
        .await?;
    let list = client.page("/patients").await?.expecting(200)?;
    assert_eq!(list.text().contains("Testperson"), accepted);
    // and a chart, if there is one, is the patient's alone.
    let chart = client
        .page(&format!("/patients/{}", scene.organization))
        .await?;
    if accepted {
        let chart = chart.expecting(200)?;
        assert!(chart.text().contains("Heart rate"), "{}", chart.text());
        assert!(!chart.text().contains("Practice"), "{}", chart.text());
        let read = client.read("Patient", scene.organization).await?;
        assert_eq!(fhir::without_stamp(&read), patient);
    } else {
        assert_eq!(chart.status, 404, "{}", chart.text());
    }
    Ok(())
}
