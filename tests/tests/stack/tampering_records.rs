//! Whoever writes the database's rows gets nothing opened that was sealed for another place.

use serde_json::Value;
use tests::{Client, Clinic, Intruder, Running, fhir};
use uuid::Uuid;

/// Which stored version is meant.
struct Row {
    organization: Uuid,
    kind: &'static str,
    id: Uuid,
}

impl Row {
    const WHERE: &'static str = "organization = ? AND kind = ? AND id = ?";

    async fn column(&self, intruder: &mut Intruder, column: &str) -> anyhow::Result<Vec<u8>> {
        let sql = format!(
            "SELECT {column} FROM resource_versions WHERE {}",
            Self::WHERE
        );
        intruder.bytes(&sql, &self.key()).await
    }

    async fn overwrite(
        &self,
        intruder: &mut Intruder,
        columns: &[(&str, &[u8])],
    ) -> anyhow::Result<()> {
        let names: Vec<String> = columns
            .iter()
            .map(|(name, _)| format!("{name} = ?"))
            .collect();
        let sql = format!(
            "UPDATE resource_versions SET {} WHERE {}",
            names.join(", "),
            Self::WHERE
        );
        let mut values: Vec<&[u8]> = columns.iter().map(|(_, value)| *value).collect();
        values.extend(self.key());
        assert_eq!(intruder.execute(&sql, &values).await?, 1);
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
    let path = format!("/fhir/{}", fhir::reference(&own));
    let body = target.column(&mut intruder, "body").await?;
    let mac = target.column(&mut intruder, "mac").await?;
    let row_id = target.column(&mut intruder, "row_id").await?;
    for (what, source) in sources {
        let stolen_body = source.column(&mut intruder, "body").await?;
        let stolen_mac = source.column(&mut intruder, "mac").await?;
        let stolen_id = source.column(&mut intruder, "row_id").await?;
        target
            .overwrite(&mut intruder, &[("body", &stolen_body)])
            .await?;
        let body_only = here.get(&path).await?;
        target
            .overwrite(
                &mut intruder,
                &[("body", &stolen_body), ("mac", &stolen_mac)],
            )
            .await?;
        let with_mac = here.get(&path).await?;
        // Row ids are unique, so the source gives its own up.
        source
            .overwrite(&mut intruder, &[("row_id", fhir::random_id().as_bytes())])
            .await?;
        target
            .overwrite(&mut intruder, &[("row_id", &stolen_id)])
            .await?;
        let whole = here.get(&path).await?;
        let chart = here
            .page(&format!("/patients/{}", fhir::id(&patient)))
            .await?;
        let reads_on = here.read("Patient", fhir::id(&bystander)).await;
        target
            .overwrite(
                &mut intruder,
                &[("body", &body), ("mac", &mac), ("row_id", &row_id)],
            )
            .await?;
        source
            .overwrite(&mut intruder, &[("row_id", &stolen_id)])
            .await?;
        for answer in [body_only, with_mac, whole] {
            assert_eq!(answer.status, 500, "{what}: {}", answer.text());
            let told = answer.text();
            assert!(
                !told.contains("Heart") && !told.contains("Wilhelmina"),
                "{told}"
            );
            assert!(
                !told.contains("MAC") && !told.contains("open"),
                "an inner message: {told}"
            );
            answer.issues()?;
        }
        assert_eq!(
            chart.status, 500,
            "{what}: the chart was shown without the record"
        );
        reads_on?;
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
    for column in ["body", "mac", "row_id"] {
        let before = row.column(&mut intruder, column).await?;
        // The format, the key's id, the nonce, the ciphertext, the tag.
        for place in [0, 5, 20, before.len() / 2, before.len() - 1] {
            let mut bytes = before.clone();
            let at = place.min(before.len() - 1);
            bytes[at] ^= 0x01;
            row.overwrite(&mut intruder, &[(column, &bytes)]).await?;
            let answer = clinician.get(&path).await?;
            assert_eq!(answer.status, 500, "{column} at {at}: {}", answer.text());
        }
        row.overwrite(&mut intruder, &[(column, &before)]).await?;
    }
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
        let chart = clinician.page(&format!("/patients/{theirs}")).await?;
        assert_eq!(chart.status, expected, "{direction}");
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
