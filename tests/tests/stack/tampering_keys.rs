//! Tampering with keys and with whole charts, on isolated stacks whose app can be restarted.

use tests::Clinic;
use tests::IsolatedStack;
use tests::fhir;

use super::attack::stored_patient;

#[tokio::test]
async fn a_tampered_key_opens_nothing_and_affects_only_its_patient() -> anyhow::Result<()> {
    let mut isolated = IsolatedStack::start().await?;
    let running = isolated.running()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let victim = stored_patient(&clinician, "Firstperson").await?;
    let other = stored_patient(&clinician, "Secondperson").await?;
    let mut attacker = running.attacker().await?;
    let (mine, theirs) = (fhir::id(&victim), fhir::id(&other));
    let read = |column: &str| format!("SELECT {column} FROM `keys` WHERE owner = ?");
    let mut kept = Vec::new();
    let mut stolen = Vec::new();
    for column in ["wrapped", "commitment", "mac"] {
        kept.push(attacker.bytes(&read(column), &[mine.as_bytes()]).await?);
        stolen.push(attacker.bytes(&read(column), &[theirs.as_bytes()]).await?);
    }
    let update = "UPDATE `keys` SET wrapped = ?, commitment = ?, mac = ? WHERE owner = ?";
    let state = "UPDATE `keys` SET state = 1 - state WHERE owner = ?";
    for (what, values) in [
        (
            "another patient's key",
            [&stolen[0], &stolen[1], &stolen[2]],
        ),
        ("its wrap alone", [&stolen[0], &kept[1], &kept[2]]),
        ("its commitment", [&kept[0], &stolen[1], &kept[2]]),
        ("its mac", [&kept[0], &kept[1], &stolen[2]]),
        ("its state", [&kept[0], &kept[1], &kept[2]]),
    ] {
        attacker
            .execute(update, &[values[0], values[1], values[2], mine.as_bytes()])
            .await?;
        if what == "its state" {
            attacker.execute(state, &[mine.as_bytes()]).await?;
        }
        // A key that is open stays open: a cold app has to unwrap it.
        isolated.stack.stop("app").await?;
        isolated.stack.start("app").await?;
        let clinician = isolated.running()?.clinician(Clinic::Riverside).await?;
        let response = clinician.get(&format!("/fhir/Patient/{mine}")).await?;
        let other_read = clinician.read("Patient", theirs).await;
        if what == "its state" {
            attacker.execute(state, &[mine.as_bytes()]).await?;
        }
        attacker
            .execute(update, &[&kept[0], &kept[1], &kept[2], mine.as_bytes()])
            .await?;
        assert_eq!(response.status, 500, "{what}: {}", response.text());
        assert!(!response.text().contains("person\""), "{}", response.text());
        other_read?;
    }
    isolated.stack.stop("app").await?;
    isolated.stack.start("app").await?;
    let clinician = isolated.running()?.clinician(Clinic::Riverside).await?;
    assert_eq!(
        fhir::without_server_meta(&clinician.read("Patient", mine).await?),
        victim
    );
    Ok(())
}

#[tokio::test]
async fn a_chart_that_is_moved_to_another_organization_does_not_open_there() -> anyhow::Result<()> {
    let isolated = IsolatedStack::start().await?;
    let running = isolated.running()?;
    let here = running.clinician(Clinic::Riverside).await?;
    let there = running.clinician(Clinic::Lakeside).await?;
    let mut attacker = running.attacker().await?;
    let riverside = attacker.organization("Riverside").await?;
    let lakeside = attacker.organization("Lakeside").await?;
    let patient = stored_patient(&here, "Firstperson").await?;
    let observation = fhir::observation(&patient);
    here.bundle(&fhir::transaction(&[&observation]))
        .await?
        .expect_status(200)?;
    let owner = fhir::id(&patient);
    let tables = ["`keys`", "owners", "resources", "resource_versions"];
    for (from, to) in [(riverside, lakeside), (lakeside, riverside)] {
        for table in tables {
            let sql =
                format!("UPDATE {table} SET organization = ? WHERE organization = ? AND owner = ?");
            let values: [&[u8]; 3] = [to.as_bytes(), from.as_bytes(), owner.as_bytes()];
            assert!(attacker.execute(&sql, &values).await? > 0, "{table}");
        }
        for resource in [&patient, &observation] {
            let path = format!("/fhir/{}", fhir::reference(resource));
            let (riverside_response, lakeside_response) =
                (here.get(&path).await?, there.get(&path).await?);
            if to == riverside {
                assert_eq!(
                    (
                        riverside_response.status.as_u16(),
                        lakeside_response.status.as_u16()
                    ),
                    (200, 404)
                );
            } else {
                assert_eq!(
                    (
                        riverside_response.status.as_u16(),
                        lakeside_response.status.as_u16()
                    ),
                    (404, 500)
                );
                assert!(!lakeside_response.text().contains("Wilhelmina"));
            }
        }
    }
    Ok(())
}
