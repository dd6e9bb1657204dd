//! A database that lies: in a table's place stands a view that answers with another genuine row. On a stack of its
//! own, since everybody is lied to.

use anyhow::Context;
use tests::fhir;
use uuid::Uuid;

use super::attack::FORGOTTEN;
use super::attack::Faults;
use super::attack::hexed;
use super::attack::put;
use super::lie::Cast;
use super::lie::Lie;
use super::lie::ask;
use super::lie::found_out;

/// A table that lies about a patient: what a row is known by beside its organization, which of [`paths`] show it,
/// and the tables that may be reported.
struct Lying {
    table: &'static str,
    keys: &'static [&'static str],
    shown_at: &'static [usize],
    tables: &'static [&'static str],
}

const LYING: [Lying; 4] = [
    Lying {
        table: "resources",
        keys: &["owner", "id"],
        shown_at: &[0, 1],
        tables: &["resources", "resource_versions"],
    },
    Lying {
        table: "resource_versions",
        keys: &["owner", "id"],
        shown_at: &[0, 1],
        tables: &["resources", "resource_versions"],
    },
    Lying {
        table: "demographics",
        keys: &["patient"],
        shown_at: &[2],
        tables: &["demographics"],
    },
    Lying {
        table: "owners",
        keys: &["owner"],
        shown_at: &[1],
        tables: &["owners"],
    },
];

/// Where a patient is shown.
fn paths(patient: Uuid) -> [String; 3] {
    [
        format!("/fhir/Patient/{patient}"),
        format!("/patients/{patient}"),
        "/patients".to_owned(),
    ]
}

impl Lying {
    /// The lie that the row of `other`, of an organization, is that of `victim`.
    fn lie(&self, (there, other): (Uuid, Uuid), (here, victim): (Uuid, Uuid)) -> Lie<'_> {
        let known_by = |organization, id| {
            let mut columns = vec![("organization", hexed(organization))];
            columns.extend(self.keys.iter().map(|column| (*column, hexed(id))));
            columns
        };
        Lie {
            table: self.table,
            genuine: known_by(there, other),
            pretended: known_by(here, victim),
        }
    }
}

#[tokio::test]
async fn records_of_another_patient_in_a_patients_place_are_never_shown() -> anyhow::Result<()> {
    let mut cast = Cast::set().await?;
    let (desk, clinician) = (cast.desk.clone(), cast.scene.clinician.clone());
    let here = cast.scene.organization;
    let victim = fhir::id(&cast.chart.patient);
    let mut faults = Faults::default();
    let others = [
        ("a neighbour", here, fhir::id(&cast.neighbour)),
        ("a stranger", cast.elsewhere, fhir::id(&cast.foreigner)),
    ];
    for (whose, there, other) in others {
        for lying in &LYING {
            let lie = lying.lie((there, other), (here, victim));
            // The front desk sees no chart, so its owner is asked for by a clinician.
            let is_of_chart = lying.table == "owners";
            let client = if is_of_chart { &clinician } else { &desk };
            let tried = async {
                let mut answers = Vec::new();
                for path in paths(victim) {
                    answers.push((ask(client, &path).await?, path));
                }
                Ok(answers)
            };
            let answers = cast.lie(&lie, Box::pin(tried)).await?;
            for (index, (answer, path)) in answers.iter().enumerate() {
                let what = format!("{} of {whose}: {path}", lying.table);
                assert!(!answer.text().contains("Foreigner"), "{what}");
                if lying.shown_at.contains(&index) {
                    let outcome = found_out(&cast.scene.running, answer, lying.tables).await;
                    faults.note(what, outcome);
                }
            }
            let whole = cast.chart.is_whole(&clinician).await;
            whole.context(lying.table)?;
            desk.page("/patients").await?.expecting(200)?;
        }
    }
    faults.none()
}

#[tokio::test]
async fn a_key_of_another_patient_in_a_patients_place_opens_nothing() -> anyhow::Result<()> {
    let mut cast = Cast::set().await?;
    let client = cast.scene.clinician.clone();
    let (here, there) = (hexed(cast.scene.organization), hexed(cast.elsewhere));
    let victim = hexed(fhir::id(&cast.chart.patient));
    let path = format!("/fhir/{}", fhir::reference(&cast.chart.patient));
    let added = fhir::observation(&cast.chart.patient);
    let mut faults = Faults::default();
    for (organization, other) in [
        (&here, hexed(fhir::id(&cast.neighbour))),
        (&there, hexed(fhir::id(&cast.foreigner))),
    ] {
        let sql = format!("SELECT id FROM `keys` WHERE owner = {victim}");
        let key = hexed(cast.scene.intruder.bytes(&sql, &[]).await?);
        let lie = Lie {
            table: "keys",
            genuine: vec![("organization", organization.clone()), ("owner", other)],
            pretended: vec![
                ("organization", here.clone()),
                ("owner", victim.clone()),
                ("id", key),
            ],
        };
        let change = lie.told(&mut cast.scene.intruder).await?;
        // The app that looks for the key is cold.
        let mut intruder = cast.scene.running.intruder().await?;
        let tried = async {
            cast.restart().await?;
            let (read, page) = (client.get(&path).await?, cast.chart.page(&client).await?);
            Ok([read, page, put(&client, &added).await?])
        };
        let answers = change.during(&mut intruder, tried).await?;
        for (what, answer) in ["read", "chart", "write"].into_iter().zip(&answers) {
            let tables = ["keys", "owners", "resource_versions"];
            let outcome = found_out(&cast.scene.running, answer, &tables).await;
            faults.note(what, outcome);
        }
        cast.chart.is_whole(&client).await?;
    }
    faults.none()
}

#[tokio::test]
async fn another_persons_row_in_a_persons_place_gives_nobody_that_persons_access()
-> anyhow::Result<()> {
    let mut cast = Cast::set().await?;
    let desk = cast.desk.clone();
    let mut ids = Vec::new();
    for client in [&cast.scene.clinician, &desk] {
        let me = client
            .get("/api/v1/session")
            .await?
            .expecting(200)?
            .json()?;
        let id: Uuid = me["person"]["id"].as_str().context("an id")?.parse()?;
        ids.push(hexed(id));
    }
    let [clinician, clerk] = &ids[..] else {
        anyhow::bail!("two people")
    };
    let clinical = format!("/fhir/{}", fhir::reference(&cast.chart.observations[0]));
    let newest = |person: &str, column: &str| {
        format!("SELECT {column} FROM sessions WHERE person = {person} AND kind = 'bearer' LIMIT 1")
    };
    let mut hashes = Vec::new();
    for person in [clinician, clerk] {
        let sql = newest(person, "token_hash");
        hashes.push(hexed(cast.scene.intruder.bytes(&sql, &[]).await?));
    }
    for (table, column, genuine, pretended) in [
        ("people", "id", clinician, clerk),
        ("sessions", "token_hash", &hashes[0], &hashes[1]),
    ] {
        let lie = Lie {
            table,
            genuine: vec![(column, genuine.clone())],
            pretended: vec![(column, pretended.clone())],
        };
        let tried = async {
            tokio::time::sleep(FORGOTTEN).await;
            Ok([
                desk.get(&clinical).await?,
                desk.get("/api/v1/session").await?,
            ])
        };
        for answer in cast.lie(&lie, Box::pin(tried)).await? {
            let status = answer.status.as_u16();
            assert!(
                matches!(status, 401 | 500),
                "{table}: {status} {}",
                answer.text()
            );
            cast.scene.running.reported(&answer, &[table]).await?;
        }
        tokio::time::sleep(FORGOTTEN).await;
        assert_eq!(desk.get(&clinical).await?.status, 403, "{table}");
        desk.get("/api/v1/session").await?.expecting(200)?;
    }
    Ok(())
}
