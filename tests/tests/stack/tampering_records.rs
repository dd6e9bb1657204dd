//! Whoever writes the database's rows gets nothing opened that was sealed for another place.

use anyhow::Context;
use serde_json::Value;
use tests::Answer;
use tests::Client;
use tests::Clinic;
use tests::Intruder;
use tests::Running;
use tests::fhir;
use uuid::Uuid;

/// Which stored version is meant.
struct Row {
    organization: Uuid,
    kind: &'static str,
    id: Uuid,
}

/// What a row holds beside its key: what is sealed, and everything that vouches for it.
const COLUMNS: [&str; 5] = ["body", "mac", "at", "row_id", "mac_key"];

impl Row {
    const WHERE: &'static str = "organization = ? AND kind = ? AND id = ?";

    /// The columns that can be carried off, in the order of [`COLUMNS`].
    async fn columns(&self, intruder: &mut Intruder) -> anyhow::Result<Vec<Vec<u8>>> {
        let mut values = Vec::new();
        for column in COLUMNS {
            let sql = format!(
                "SELECT {column} FROM resource_versions WHERE {}",
                Self::WHERE
            );
            // A time as text, so that it can be written back.
            let sql = sql.replace("SELECT at", "SELECT CAST(at AS CHAR)");
            values.push(intruder.bytes(&sql, &self.key()).await?);
        }
        Ok(values)
    }

    /// Overwrites the first so many of [`COLUMNS`].
    async fn overwrite(&self, intruder: &mut Intruder, values: &[Vec<u8>]) -> anyhow::Result<()> {
        for (column, value) in COLUMNS.iter().zip(values) {
            let sql = format!(
                "UPDATE resource_versions SET {column} = ? WHERE {}",
                Self::WHERE
            );
            let [organization, kind, id] = self.key();
            intruder
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

/// A patient and an observation, stored.
async fn chart(client: &Client) -> anyhow::Result<(Value, Value)> {
    let patient = fhir::patient();
    let observation = fhir::observation(&patient);
    client
        .bundle(&fhir::transaction(&[&patient, &observation]))
        .await?
        .expecting(200)?;
    Ok((patient, observation))
}

/// Copies one row over another, column by column, asks for the record and its chart each time, and puts
/// everything back.
async fn carry_over(
    intruder: &mut Intruder,
    client: &Client,
    source: &Row,
    target: &Row,
    patient: &Value,
) -> anyhow::Result<Vec<Answer>> {
    let own = target.columns(intruder).await?;
    let stolen = source.columns(intruder).await?;
    // Row ids are unique, so the source gives its own up.
    let mut bereft = stolen.clone();
    bereft[3] = fhir::random_id().as_bytes().to_vec();
    source.overwrite(intruder, &bereft).await?;
    let mut answers = Vec::new();
    for count in 1..=COLUMNS.len() {
        target.overwrite(intruder, &stolen[..count]).await?;
        let path = format!("/fhir/{}/{}", target.kind, target.id);
        answers.push(client.get(&path).await?);
        let chart = format!("/patients/{}", fhir::id(patient));
        answers.push(client.page(&chart).await?);
    }
    target.overwrite(intruder, &own).await?;
    source.overwrite(intruder, &stolen).await?;
    Ok(answers)
}

#[tokio::test]
async fn a_sealed_record_moved_to_another_place_does_not_open() -> anyhow::Result<()> {
    let running = Running::shared()?;
    let here = running.clinician(Clinic::Riverside).await?;
    let there = running.clinician(Clinic::Lakeside).await?;
    let mut intruder = running.intruder().await?;
    let riverside = intruder.organization("Riverside").await?;
    let lakeside = intruder.organization("Lakeside").await?;
    let (patient, own) = chart(&here).await?;
    let sibling = fhir::observation(&patient);
    here.bundle(&fhir::transaction(&[&sibling]))
        .await?
        .expecting(200)?;
    let (other_patient, others) = chart(&here).await?;
    let (_, foreign) = chart(&there).await?;
    let (bystander, _) = chart(&here).await?;
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
        let answers = carry_over(&mut intruder, &here, &source, &target, &patient).await?;
        here.read("Patient", bystander).await?;
        for answer in answers {
            let told = answer.text();
            assert!(!told.contains("resource_versions"), "{what}: {told}");
            let refused = running.refused(&answer, &["resource_versions"]);
            refused.await.context(what)?;
        }
    }
    // Everything back in its place opens again.
    let read = here.read("Observation", fhir::id(&own)).await?;
    assert_eq!(fhir::without_stamp(&read), own);
    here.read("Observation", fhir::id(&others)).await?;
    there.read("Observation", fhir::id(&foreign)).await?;
    Ok(())
}

#[tokio::test]
async fn one_changed_bit_of_a_record_is_noticed() -> anyhow::Result<()> {
    let running = Running::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let mut intruder = running.intruder().await?;
    let organization = intruder.organization("Riverside").await?;
    let (_, observation) = chart(&clinician).await?;
    let row = Row {
        organization,
        kind: "Observation",
        id: fhir::id(&observation),
    };
    let path = format!("/fhir/{}", fhir::reference(&observation));
    let before = row.columns(&mut intruder).await?;
    for column in [0, 1, 3, 4] {
        let length = before[column].len();
        // The format, the key's id, the nonce, the ciphertext, the tag.
        for place in [0, 5, 20, length / 2, length - 1] {
            let mut values = before.clone();
            values[column][place.min(length - 1)] ^= 0x01;
            row.overwrite(&mut intruder, &values).await?;
            let answer = clinician.get(&path).await?;
            assert_eq!(answer.status, 500, "{} at {place}", COLUMNS[column]);
            answer.issues()?;
            running.reported(&answer, &["resource_versions"]).await?;
        }
    }
    row.overwrite(&mut intruder, &before).await?;
    clinician.get(&path).await?.expecting(200)?;
    Ok(())
}

#[tokio::test]
async fn a_record_given_to_another_patient_or_version_is_refused() -> anyhow::Result<()> {
    let running = Running::shared()?;
    let clinician = running.clinician(Clinic::Riverside).await?;
    let mut intruder = running.intruder().await?;
    let (patient, observation) = chart(&clinician).await?;
    let (other, _) = chart(&clinician).await?;
    let (mine, theirs) = (fhir::id(&patient), fhir::id(&other));
    let id = fhir::id(&observation);
    let path = format!("/fhir/{}", fhir::reference(&observation));
    let owners: [(&str, &[u8]); 2] = [("to", theirs.as_bytes()), ("back", mine.as_bytes())];
    for (direction, owner) in owners {
        for table in ["resources", "resource_versions"] {
            let sql = format!("UPDATE {table} SET owner = ? WHERE kind = 'Observation' AND id = ?");
            assert_eq!(intruder.execute(&sql, &[owner, id.as_bytes()]).await?, 1);
        }
        let expected = if direction == "to" { 500 } else { 200 };
        assert_eq!(clinician.get(&path).await?.status, expected, "{direction}");
        for patient in [mine, theirs] {
            let chart = clinician.page(&format!("/patients/{patient}")).await?;
            assert_eq!(chart.status, expected, "{direction}");
            if direction == "to" {
                running.reported(&chart, &["resources"]).await?;
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
    ] {
        let sql =
            |change| format!("UPDATE {table} SET {change} WHERE kind = 'Observation' AND id = ?");
        assert_eq!(intruder.execute(&sql(change), &[id.as_bytes()]).await?, 1);
        let answer = clinician.get(&path).await?;
        assert_eq!(intruder.execute(&sql(back), &[id.as_bytes()]).await?, 1);
        assert!(
            matches!(answer.status.as_u16(), 404 | 500),
            "{table} {change}: {}",
            answer.status
        );
    }
    clinician.get(&path).await?.expecting(200)?;
    Ok(())
}
