//! Tampering that affects a whole organization, on isolated stacks.

use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use audit::BrokenChain;
use audit::Commitment;
use audit::Entry;
use audit::RowsCommitment;
use audit::verify_chain;
use serde_json::Value;
use sqlx::Row as _;
use stack::Status;
use tests::Attacker;
use tests::Canaries;
use tests::Client;
use tests::Clinic;
use tests::IsolatedStack;
use tests::Role;
use tests::RunningStack;
use tests::Scanner;
use tests::fhir;
use uuid::Uuid;

use super::attack::Change;
use super::attack::Fixture;
use super::attack::hexed;
use super::attack::put;

async fn patient(client: &Client, family: &str) -> anyhow::Result<Value> {
    let mut patient = fhir::patient();
    patient["name"][0]["family"] = family.into();
    client
        .bundle(&fhir::transaction(&[&patient]))
        .await?
        .expect_status(200)?;
    Ok(patient)
}

#[tokio::test]
async fn demographics_that_are_moved_to_another_column_or_patient_do_not_open() -> anyhow::Result<()>
{
    let isolated = IsolatedStack::start().await?;
    let running = isolated.running()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let outsider = running.clinician(Clinic::Lakeside).await?;
    let one = patient(&clinician, "Firstperson").await?;
    let other = patient(&clinician, "Secondperson").await?;
    let foreign = patient(&outsider, "Thirdperson").await?;
    let mut attacker = running.attacker().await?;
    let page = clinician.page("/patients").await?.expect_status(200)?;
    assert!(page.text().contains("Firstperson"));
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
        assert_eq!(page.status, 500, "{column} from {from}: {}", page.text());
        assert!(!page.text().contains("Secondperson"), "{column}");
        assert!(!search.text().contains("Secondperson") && !search.text().contains("Thirdperson"));
        other_read?;
    }
    clinician.page("/patients").await?.expect_status(200)?;
    assert_eq!(outsider.found(&[("family", "Thirdperson")]).await?.len(), 1);
    Ok(())
}

/// The columns of demographics that differ between versions.
const FIELDS: [&str; 13] = [
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
    for column in FIELDS {
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
    let mut victim = patient(&client, "Formername").await?;
    let id = fhir::id(&victim);
    let first = restore_demographics_statement(&mut fixture.attacker, id).await?;
    victim["name"][0]["family"] = "Currentname".into();
    put(&client, &victim).await?.expect_status(200)?;
    let second = restore_demographics_statement(&mut fixture.attacker, id).await?;
    let replay = Change::new(first, second);
    let tried = async {
        let search = [("family", "Formername")];
        Ok([
            client.page("/patients").await?,
            client.search(&search).await?,
        ])
    };
    let [listed, searched] = replay.during(&mut fixture.attacker, tried).await?;
    fixture
        .running
        .expect_refused(&listed, &["demographics"])
        .await?;
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

#[tokio::test]
async fn a_tampered_key_opens_nothing_and_affects_only_its_patient() -> anyhow::Result<()> {
    let mut isolated = IsolatedStack::start().await?;
    let running = isolated.running()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let victim = patient(&clinician, "Firstperson").await?;
    let other = patient(&clinician, "Secondperson").await?;
    let mut attacker = running.attacker().await?;
    let (mine, theirs) = (fhir::id(&victim), fhir::id(&other));
    let read = |column: &str| format!("SELECT {column} FROM `keys` WHERE owner = ?");
    let mut kept = Vec::new();
    let mut stolen = Vec::new();
    for column in ["wrapped", "commitment", "mac"] {
        kept.push(attacker.bytes(&read(column), &[mine.as_bytes()]).await?);
        stolen.push(
            attacker
                .bytes(&read(column), &[theirs.as_bytes()])
                .await?,
        );
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

/// The chain with the newest event, as an auditor reads it.
async fn chain(status: &Status) -> anyhow::Result<(Uuid, Vec<(Entry, [u8; 32])>)> {
    let mut auditor = Attacker::connect(status, "auditor").await?;
    let newest = "SELECT chain FROM audit_events ORDER BY at DESC LIMIT 1";
    let chain = auditor.bytes(newest, &[]).await?;
    let sql = "SELECT counter, previous, organization, event, \
               TIMESTAMPDIFF(MICROSECOND, '1970-01-01', at), commitment, row_list, mac \
               FROM audit_events WHERE chain = ? ORDER BY counter";
    let mut entries = Vec::new();
    for row in auditor.rows(sql, &[&chain]).await? {
        let bytes = |index: usize| row.try_get_unchecked::<Vec<u8>, _>(index);
        let fixed = |index| -> anyhow::Result<[u8; 32]> {
            bytes(index)?.try_into().ok().context("32 bytes")
        };
        let entry = Entry {
            chain: Uuid::from_slice(&chain)?,
            counter: row.try_get_unchecked::<u64, _>(0)?,
            previous: fixed(1)?,
            organization: Uuid::from_slice(&bytes(2)?)?,
            event: Uuid::from_slice(&bytes(3)?)?,
            at_micros: row.try_get_unchecked::<i64, _>(4)?,
            commitment: Commitment(fixed(5)?),
            rows: RowsCommitment(fixed(6)?),
        };
        entries.push((entry, fixed(7)?));
    }
    Ok((Uuid::from_slice(&chain)?, entries))
}

/// Verifies the chain. Without the MAC keys only the hashes are verified, which suffices to hit a
/// missing event.
fn check(chain: Uuid, entries: &[(Entry, [u8; 32])]) -> Result<u64, BrokenChain> {
    verify_chain(
        chain,
        entries.iter().map(|(entry, mac)| (entry, mac)),
        |_, _| true,
    )
}

#[tokio::test]
async fn an_altered_or_deleted_audit_event_is_detected() -> anyhow::Result<()> {
    let isolated = IsolatedStack::start().await?;
    let running = isolated.running()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let officer = running
        .sign_in(Role::PrivacyOfficer, Clinic::Riverside)
        .await?;
    for n in 0..5 {
        patient(&clinician, &format!("Person{n}")).await?;
    }
    officer
        .get("/api/v1/audit/events")
        .await?
        .expect_status(200)?;
    let (id, entries) = chain(&running.status).await?;
    assert!(entries.len() > 5);
    assert_eq!(check(id, &entries), Ok(u64::try_from(entries.len())?));
    let mut attacker = running.attacker().await?;
    let middle = entries.len() / 2;
    let event = entries[middle].0.event;
    // Altered: no trail with a forged event is shown.
    for (change, back) in [
        ("at = at - INTERVAL 1 HOUR", "at = at + INTERVAL 1 HOUR"),
        (
            "commitment = REVERSE(commitment)",
            "commitment = REVERSE(commitment)",
        ),
        ("body = REVERSE(body)", "body = REVERSE(body)"),
        ("mac = REVERSE(mac)", "mac = REVERSE(mac)"),
    ] {
        let sql = |change| format!("UPDATE audit_events SET {change} WHERE event = ?");
        assert_eq!(
            attacker.execute(&sql(change), &[event.as_bytes()]).await?,
            1
        );
        let response = officer.get("/api/v1/audit/events").await?;
        assert_eq!(attacker.execute(&sql(back), &[event.as_bytes()]).await?, 1);
        assert_eq!(response.status, 500, "{change}: {}", response.text());
    }
    officer
        .get("/api/v1/audit/events")
        .await?
        .expect_status(200)?;
    // Deleted: the chain has a gap.
    let sql = "DELETE FROM audit_events WHERE event = ?";
    assert_eq!(attacker.execute(sql, &[event.as_bytes()]).await?, 1);
    let (id, entries) = chain(&running.status).await?;
    let expected = u64::try_from(middle)?;
    assert_eq!(
        check(id, &entries),
        Err(BrokenChain::Counter {
            chain: id,
            expected
        })
    );
    // Renumbering the later events does not close the gap.
    let sql = "UPDATE audit_events SET counter = counter - 1 WHERE chain = ? AND counter > ? ORDER BY counter";
    attacker
        .execute(sql, &[id.as_bytes(), expected.to_string().as_bytes()])
        .await?;
    let (id, entries) = chain(&running.status).await?;
    assert_eq!(
        check(id, &entries),
        Err(BrokenChain::Previous {
            chain: id,
            counter: expected
        })
    );
    Ok(())
}

#[tokio::test]
async fn the_general_log_of_an_import_and_of_reads_has_no_value_of_a_patient() -> anyhow::Result<()>
{
    let mut isolated = IsolatedStack::start().await?;
    isolated
        .reconfigure_database(
            "\ngeneral_log = ON\ngeneral_log_file = general.log\nslow_query_log = ON\n\
             slow_query_log_file = slow.log\nlong_query_time = 0\nlog_output = FILE\n",
        )
        .await?;
    let bundles = tests::bundles()?;
    let bundle = bundles.first().context("a bundle")?;
    let importer = stack::import::Importer::new(
        isolated.stack.home(),
        Some(bundle.clinic.first_word()),
        stack::Progress::hidden(),
    )?;
    let report = importer.import(&bundle.path).await?;
    assert!(report.refused.is_empty());
    let running = isolated.running()?;
    use_everything(&running, bundle.patient()?, bundle.clinic).await?;
    let mut canaries = Canaries::default();
    bundle
        .resources
        .iter()
        .for_each(|resource| canaries.add_resource(resource));
    let folder = &running.status.database.folder;
    let log = std::fs::read(folder.join("data/general.log"))?;
    let text = String::from_utf8_lossy(&log);
    assert!(
        text.contains("INSERT INTO resource_versions"),
        "the log shows the statements"
    );
    assert!(text.contains("demographics"));
    assert!(folder.join("data/slow.log").metadata()?.len() > 10_000);
    let scanner = Scanner::new(&canaries)?;
    let (mut matches, searched) = scanner.scan_folder(&running.status.home)?;
    // The database server's manual has names of people in its examples.
    matches.retain(|hit| !hit.source.contains("/help_") && !hit.source.ends_with("/mysql.ibd"));
    assert!(
        matches.is_empty(),
        "{}",
        matches.iter().map(ToString::to_string).collect::<String>()
    );
    assert!(searched > 10_000_000);
    Ok(())
}

/// Reads, searches and lists a patient in every way.
async fn use_everything(
    running: &RunningStack,
    patient: &Value,
    clinic: Clinic,
) -> anyhow::Result<()> {
    let clinician = running.clinician(clinic).await?;
    let id = fhir::id(patient);
    clinician.read("Patient", id).await?;
    let family = patient["name"][0]["family"].as_str().context("a name")?;
    let born = patient["birthDate"].as_str().context("a birth date")?;
    assert_eq!(
        clinician
            .found(&[("family", family), ("birthdate", born)])
            .await?
            .len(),
        1
    );
    for identifier in patient["identifier"].as_array().context("identifiers")? {
        let value = identifier["value"].as_str().context("a value")?;
        clinician.search(&[("identifier", value)]).await?;
        clinician.form("/patients/search", &[("q", value)]).await?;
    }
    clinician
        .form("/patients/search", &[("q", family)])
        .await?
        .expect_status(200)?;
    clinician.page("/patients").await?.expect_status(200)?;
    clinician
        .page(&format!("/patients/{id}"))
        .await?
        .expect_status(200)?;
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
    let patient = patient(&here, "Firstperson").await?;
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
