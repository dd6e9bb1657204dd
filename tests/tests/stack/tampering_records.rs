//! An attacker with write access to the database opens nothing that was sealed for another place.

use anyhow::Context;
use serde_json::Value;
use tests::Attacker;
use tests::Client;
use tests::Clinic;
use tests::RunningStack;
use tests::TestResponse;
use tests::fhir;
use uuid::Uuid;

/// The key of a stored version.
struct Row {
    organization: Uuid,
    kind: &'static str,
    id: Uuid,
}

/// The columns beside the key: the sealed body, and what authenticates it.
const COLUMNS: [&str; 5] = ["body", "mac", "at", "row_id", "mac_key"];

impl Row {
    const WHERE: &'static str = "organization = ? AND kind = ? AND id = ?";

    /// The columns that can be copied, in the order of [`COLUMNS`].
    async fn columns(&self, attacker: &mut Attacker) -> anyhow::Result<Vec<Vec<u8>>> {
        let mut values = Vec::new();
        for column in COLUMNS {
            let sql = format!(
                "SELECT {column} FROM resource_versions WHERE {}",
                Self::WHERE
            );
            // A time as text, so that it can be restored.
            let sql = sql.replace("SELECT at", "SELECT CAST(at AS CHAR)");
            values.push(attacker.bytes(&sql, &self.key()).await?);
        }
        Ok(values)
    }

    /// Overwrites the first columns of [`COLUMNS`], one for each value.
    async fn overwrite(&self, attacker: &mut Attacker, values: &[Vec<u8>]) -> anyhow::Result<()> {
        for (column, value) in COLUMNS.iter().zip(values) {
            let sql = format!(
                "UPDATE resource_versions SET {column} = ? WHERE {}",
                Self::WHERE
            );
            let [organization, kind, id] = self.key();
            attacker
                .execute(&sql, &[value, organization, kind, id])
                .await?;
        }
        Ok(())
    }

    fn key(&self) -> [&[u8]; 3] {
        [
            self.organization.as_bytes(),
            self.kind.as_bytes(),
            self.id.as_bytes(),
        ]
    }
}

/// Stores a patient and an observation.
async fn stored_chart(client: &Client) -> anyhow::Result<(Value, Value)> {
    let patient = fhir::patient();
    let observation = fhir::observation(&patient);
    client
        .bundle(&fhir::transaction(&[&patient, &observation]))
        .await?
        .expect_status(200)?;
    Ok((patient, observation))
}

/// Copies one row over another, column by column, requests the record and its chart each time, and
/// restores everything.
async fn copy_over(
    attacker: &mut Attacker,
    client: &Client,
    source: &Row,
    target: &Row,
    patient: &Value,
) -> anyhow::Result<Vec<TestResponse>> {
    let own = target.columns(attacker).await?;
    let stolen = source.columns(attacker).await?;
    // Row ids are unique, so the source gives up its own.
    let mut replaced = stolen.clone();
    replaced[3] = fhir::random_id().as_bytes().to_vec();
    source.overwrite(attacker, &replaced).await?;
    let mut responses = Vec::new();
    for count in 1..=COLUMNS.len() {
        target.overwrite(attacker, &stolen[..count]).await?;
        let path = format!("/fhir/{}/{}", target.kind, target.id);
        responses.push(client.get(&path).await?);
        let chart = format!("/patients/{}", fhir::id(patient));
        responses.push(client.page(&chart).await?);
    }
    target.overwrite(attacker, &own).await?;
    source.overwrite(attacker, &stolen).await?;
    Ok(responses)
}

#[tokio::test]
async fn a_sealed_record_that_is_moved_to_another_place_does_not_open() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let here = running.clinician(Clinic::Riverside).await?;
    let there = running.clinician(Clinic::Lakeside).await?;
    let mut attacker = running.attacker().await?;
    let riverside = attacker.organization("Riverside").await?;
    let lakeside = attacker.organization("Lakeside").await?;
    let (patient, own) = stored_chart(&here).await?;
    let sibling = fhir::observation(&patient);
    here.bundle(&fhir::transaction(&[&sibling]))
        .await?
        .expect_status(200)?;
    let (other_patient, others) = stored_chart(&here).await?;
    let (_, foreign) = stored_chart(&there).await?;
    let (bystander, _) = stored_chart(&here).await?;
    let row = |organization, kind, resource: &Value| Row {
        organization,
        kind,
        id: fhir::id(resource),
    };
    let target = row(riverside, "Observation", &own);
    let sources = [
        (
            "another row of the chart",
            row(riverside, "Observation", &sibling),
        ),
        ("another kind", row(riverside, "Patient", &patient)),
        ("another patient", row(riverside, "Observation", &others)),
        (
            "another patient's own row",
            row(riverside, "Patient", &other_patient),
        ),
        (
            "another organization",
            row(lakeside, "Observation", &foreign),
        ),
    ];
    let bystander = fhir::id(&bystander);
    for (what, source) in sources {
        let responses = copy_over(&mut attacker, &here, &source, &target, &patient).await?;
        here.read("Patient", bystander).await?;
        for pair in responses.chunks(2) {
            let [read, chart] = pair else {
                anyhow::bail!("{what}: a read and a chart")
            };
            for body in [read.text(), chart.text()] {
                assert!(!body.contains("resource_versions"), "{what}: {body}");
            }
            let tables = ["resource_versions"];
            running.expect_refused(read, &tables).await.context(what)?;
            running.expect_partial(chart, &tables).await.context(what)?;
            let damaged = format!("<span class=\"code\">{}</span>", target.id);
            assert!(chart.text().contains(&damaged), "{what}");
        }
    }
    // Everything opens again in its own place.
    let read = here.read("Observation", fhir::id(&own)).await?;
    assert_eq!(fhir::without_server_meta(&read), own);
    here.read("Observation", fhir::id(&others)).await?;
    there.read("Observation", fhir::id(&foreign)).await?;
    Ok(())
}

#[tokio::test]
async fn one_changed_bit_of_a_record_is_detected() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let mut attacker = running.attacker().await?;
    let organization = attacker.organization("Riverside").await?;
    let (_, observation) = stored_chart(&clinician).await?;
    let row = Row {
        organization,
        kind: "Observation",
        id: fhir::id(&observation),
    };
    let path = format!("/fhir/{}", fhir::reference(&observation));
    let before = row.columns(&mut attacker).await?;
    for column in [0, 1, 3, 4] {
        let length = before[column].len();
        // The format, the key's id, the nonce, the ciphertext and the tag.
        for place in [0, 5, 20, length / 2, length - 1] {
            let mut values = before.clone();
            values[column][place.min(length - 1)] ^= 0x01;
            row.overwrite(&mut attacker, &values).await?;
            let response = clinician.get(&path).await?;
            assert_eq!(response.status, 500, "{} at {place}", COLUMNS[column]);
            response.issues()?;
            running
                .expect_reported(&response, &["resource_versions"])
                .await?;
        }
    }
    row.overwrite(&mut attacker, &before).await?;
    clinician.get(&path).await?.expect_status(200)?;
    Ok(())
}

#[tokio::test]
async fn a_record_that_is_moved_to_another_patient_or_version_is_refused() -> anyhow::Result<()> {
    let running = RunningStack::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let mut attacker = running.attacker().await?;
    let (patient, observation) = stored_chart(&clinician).await?;
    let (other, _) = stored_chart(&clinician).await?;
    let (mine, theirs) = (fhir::id(&patient), fhir::id(&other));
    let id = fhir::id(&observation);
    let path = format!("/fhir/{}", fhir::reference(&observation));
    let owners: [(&str, &[u8]); 2] = [("to", theirs.as_bytes()), ("back", mine.as_bytes())];
    for (direction, owner) in owners {
        for table in ["resources", "resource_versions"] {
            let sql = format!("UPDATE {table} SET owner = ? WHERE kind = 'Observation' AND id = ?");
            assert_eq!(attacker.execute(&sql, &[owner, id.as_bytes()]).await?, 1);
        }
        let expected = if direction == "to" { 500 } else { 200 };
        assert_eq!(clinician.get(&path).await?.status, expected, "{direction}");
        for patient in [mine, theirs] {
            let chart = clinician.page(&format!("/patients/{patient}")).await?;
            if direction == "to" {
                running.expect_partial(&chart, &["resources"]).await?;
            } else {
                let whole = chart.expect_status(200)?.text();
                assert!(!whole.contains("not complete"), "{direction}: {whole}");
            }
        }
    }
    for (table, change, back) in [
        ("resources", "version = 2", "version = 1"),
        (
            "resources",
            "updated_at = updated_at + INTERVAL 1 DAY",
            "updated_at = updated_at - INTERVAL 1 DAY",
        ),
        (
            "resource_versions",
            "at = at + INTERVAL 1 DAY",
            "at = at - INTERVAL 1 DAY",
        ),
        ("resources", "deleted = 1", "deleted = NULL"),
        ("resource_versions", "deleted = 1", "deleted = NULL"),
    ] {
        let sql =
            |change| format!("UPDATE {table} SET {change} WHERE kind = 'Observation' AND id = ?");
        assert_eq!(attacker.execute(&sql(change), &[id.as_bytes()]).await?, 1);
        let response = clinician.get(&path).await?;
        assert_eq!(attacker.execute(&sql(back), &[id.as_bytes()]).await?, 1);
        assert!(
            matches!(response.status.as_u16(), 404 | 500),
            "{table} {change}: {}",
            response.status
        );
    }
    clinician.get(&path).await?.expect_status(200)?;
    Ok(())
}
