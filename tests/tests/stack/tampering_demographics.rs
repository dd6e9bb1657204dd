//! Tampering with demographics, which affects the list of a whole organization: on isolated stacks.

use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use tests::Attacker;
use tests::Clinic;
use tests::IsolatedStack;
use tests::fhir;
use uuid::Uuid;

use super::attack::Change;
use super::attack::Fixture;
use super::attack::hexed;
use super::attack::put;
use super::attack::stored_patient;

#[tokio::test]
async fn demographics_that_are_moved_to_another_column_or_patient_do_not_open() -> anyhow::Result<()>
{
    let isolated = IsolatedStack::start().await?;
    let running = isolated.running()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let outsider = running.clinician(Clinic::Lakeside).await?;
    let one = stored_patient(&clinician, "Firstperson").await?;
    let other = stored_patient(&clinician, "Secondperson").await?;
    let foreign = stored_patient(&outsider, "Thirdperson").await?;
    let mut attacker = running.attacker().await?;
    let whole = clinician
        .page("/patients")
        .await?
        .expect_status(200)?
        .text();
    assert!(whole.contains("Firstperson") && !whole.contains("cannot be shown"));
    for (target, column, source) in [
        (&one, "family", &other),
        (&one, "given", &one),
        (&one, "family", &foreign),
        (&one, "ssn", &other),
        (&one, "mac", &other),
        (&one, "roster_entry", &other),
    ] {
        let (target, source) = (fhir::id(target), fhir::id(source));
        let from = if target == source { "family" } else { column };
        let read = "FROM demographics WHERE patient = ?";
        let before = attacker
            .bytes(&format!("SELECT {column} {read}"), &[target.as_bytes()])
            .await?;
        let stolen = attacker
            .bytes(&format!("SELECT {from} {read}"), &[source.as_bytes()])
            .await?;
        let update = format!("UPDATE demographics SET {column} = ? WHERE patient = ?");
        attacker
            .execute(&update, &[&stolen, target.as_bytes()])
            .await?;
        let page = clinician.page("/patients").await?;
        let search = clinician.page(&format!("/patients/{target}")).await?;
        let other_read = clinician.read("Patient", fhir::id(&other)).await;
        attacker
            .execute(&update, &[&before, target.as_bytes()])
            .await?;
        let what = format!("{column} from {from}");
        let partial = running.expect_partial(&page, &["demographics"]).await;
        partial.with_context(|| what.clone())?;
        let shown = page.text().matches("Secondperson").count();
        assert_eq!(shown, whole.matches("Secondperson").count(), "{what}");
        assert!(!page.text().contains("Firstperson"), "{what}");
        assert!(page.text().contains(&target.to_string()), "{what}");
        assert!(!search.text().contains("Secondperson") && !search.text().contains("Thirdperson"));
        other_read?;
    }
    clinician.page("/patients").await?.expect_status(200)?;
    assert_eq!(outsider.found(&[("family", "Thirdperson")]).await?.len(), 1);
    Ok(())
}

/// The columns of demographics that differ between versions.
const DEMOGRAPHICS_COLUMNS: [&str; 13] = [
    "row_id",
    "version",
    "family",
    "given",
    "birth_date",
    "gender",
    "mrn",
    "ssn",
    "phone",
    "email",
    "address",
    "roster_entry",
    "mac",
];

/// The statement that restores a patient's current demographics.
async fn restore_demographics_statement(
    attacker: &mut Attacker,
    patient: Uuid,
) -> anyhow::Result<String> {
    let mut set = Vec::new();
    for column in DEMOGRAPHICS_COLUMNS {
        let sql = format!("SELECT CAST({column} AS CHAR) FROM demographics WHERE patient = ?");
        let sql = if column == "version" {
            sql
        } else {
            format!("SELECT {column} FROM demographics WHERE patient = ?")
        };
        let value = attacker.bytes(&sql, &[patient.as_bytes()]).await?;
        set.push(if column == "version" {
            format!("version = {}", String::from_utf8(value)?)
        } else {
            format!("{column} = {}", hexed(value))
        });
    }
    let (set, patient) = (set.join(", "), hexed(patient));
    Ok(format!(
        "UPDATE demographics SET {set} WHERE patient = {patient}"
    ))
}

#[tokio::test]
async fn demographics_of_a_former_version_are_neither_listed_nor_found() -> anyhow::Result<()> {
    let isolated = IsolatedStack::start().await?;
    let mut fixture = Fixture::on(isolated.running()?).await?;
    let client = fixture.clinician.clone();
    let mut victim = stored_patient(&client, "Formername").await?;
    let id = fhir::id(&victim);
    let first = restore_demographics_statement(&mut fixture.attacker, id).await?;
    victim["name"][0]["family"] = "Currentname".into();
    put(&client, &victim).await?.expect_status(200)?;
    let second = restore_demographics_statement(&mut fixture.attacker, id).await?;
    let replay = Change::new(first, second);
    let attempt = async {
        let search = [("family", "Formername")];
        Ok([
            client.page("/patients").await?,
            client.search(&search).await?,
        ])
    };
    let [listed, searched] = replay.during(&mut fixture.attacker, attempt).await?;
    fixture
        .running
        .expect_partial(&listed, &["demographics"])
        .await?;
    assert!(!listed.text().contains("Formername"), "{}", listed.text());
    assert!(
        !searched.text().contains("Formername"),
        "{}",
        searched.text()
    );
    client.page("/patients").await?.expect_status(200)?;
    // The roster follows the database within a second.
    let deadline = Instant::now() + Duration::from_secs(10);
    while client.found(&[("family", "Currentname")]).await?.len() != 1 {
        anyhow::ensure!(Instant::now() < deadline, "the patient is not found again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
