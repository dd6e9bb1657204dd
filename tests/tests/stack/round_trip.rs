//! What goes in comes out whole.

use tests::{Clinic, Running, fhir};

#[tokio::test]
async fn a_patient_comes_back_as_it_was_sent() -> anyhow::Result<()> {
    let running = Running::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let patient = fhir::patient();
    clinician
        .bundle(&fhir::transaction(&[&patient]))
        .await?
        .expecting(200)?;
    let read = clinician.read("Patient", fhir::id(&patient)).await?;
    assert_eq!(fhir::without_stamp(&read), patient);
    Ok(())
}
