//! Isolation of organizations: one has no access to the records of another.

use serde_json::json;
use tests::Clinic;
use tests::Role;
use tests::RunningStack;
use tests::audit_trail;
use tests::fhir;

#[tokio::test]
async fn a_user_of_another_organization_finds_no_record_and_the_attempt_is_audited()
-> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let outsider = running.clinician(Clinic::Lakeside).await?;
    let officer = running
        .sign_in(Role::PrivacyOfficer, Clinic::Lakeside)
        .await?;
    let number = fhir::random_record_number();
    let mut patient = fhir::patient_of(fhir::random_id(), &number);
    patient["name"][0]["family"] = json!(format!("Only{number}"));
    let observation = fhir::observation(&patient);
    clinician
        .bundle(&fhir::transaction(&[&patient, &observation]))
        .await?
        .expect_status(200)?;
    for resource in [&patient, &observation] {
        let response = outsider
            .get(&format!("/fhir/{}", fhir::reference(resource)))
            .await?;
        assert_eq!(response.status, 404, "{}", response.text());
        let events = audit_trail::latest_events(&officer).await?;
        let event = audit_trail::event_of_request(&events, response.header("x-request-id"));
        let event = event.expect("an audit event of the attempt");
        assert_eq!(event["outcome"], "not-found");
        assert_eq!(event["role"], "clinician");
        assert!(event["person"].is_string());
    }
    let id = fhir::id(&patient);
    let chart = outsider.page(&format!("/patients/{id}")).await?;
    assert_eq!(chart.status, 404);
    let family = format!("Only{number}");
    for fields in [[("identifier", number.as_str())], [("family", &family)]] {
        assert_eq!(clinician.found(&fields).await?.len(), 1, "{fields:?}");
        assert!(outsider.found(&fields).await?.is_empty(), "{fields:?}");
    }
    // A user of the other organization cannot write to it, and the other organization has none of
    // it.
    let response = outsider
        .bundle(&fhir::transaction(&[&fhir::observation(&patient)]))
        .await?;
    assert_eq!(response.status, 422, "{}", response.text());
    Ok(())
}

#[tokio::test]
async fn the_same_id_and_record_number_in_two_organizations_are_two_patients() -> anyhow::Result<()>
{
    let running = RunningStack::shared()?;
    let (here, there) = (
        running.clinician(Clinic::Riverside).await?,
        running.clinician(Clinic::Lakeside).await?,
    );
    let mut patient = fhir::patient();
    here.bundle(&fhir::transaction(&[&patient]))
        .await?
        .expect_status(200)?;
    let riverside_patient = patient.clone();
    patient["gender"] = json!("male");
    there
        .bundle(&fhir::transaction(&[&patient]))
        .await?
        .expect_status(200)?;
    let read = here.read("Patient", fhir::id(&patient)).await?;
    assert_eq!(fhir::without_server_meta(&read), riverside_patient);
    let read = there.read("Patient", fhir::id(&patient)).await?;
    assert_eq!(fhir::without_server_meta(&read), patient);
    Ok(())
}
