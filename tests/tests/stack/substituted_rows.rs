//! A database that returns another genuine row in the place of the requested one. On isolated
//! stacks, since the substitution affects all clients.

use anyhow::Context;
use tests::fhir;
use uuid::Uuid;

use super::attack::CACHE_EXPIRY;
use super::attack::Failures;
use super::attack::hexed;
use super::attack::put;
use super::substitution::Substitution;
use super::substitution::SubstitutionSetup;
use super::substitution::expect_no_disclosure;
use super::substitution::request;

/// A table whose rows of patients are substituted: its key beside the organization, the indexes of
/// the [`paths`] that read it, and the tables that may be reported.
struct SubstitutedTable {
    table: &'static str,
    keys: &'static [&'static str],
    shown_at: &'static [usize],
    tables: &'static [&'static str],
}

const TABLES: [SubstitutedTable; 4] = [
    SubstitutedTable {
        table: "resources",
        keys: &["owner", "id"],
        shown_at: &[0, 1],
        tables: &["resources", "resource_versions"],
    },
    SubstitutedTable {
        table: "resource_versions",
        keys: &["owner", "id"],
        shown_at: &[0, 1],
        tables: &["resources", "resource_versions"],
    },
    SubstitutedTable {
        table: "demographics",
        keys: &["patient"],
        shown_at: &[2],
        tables: &["demographics"],
    },
    SubstitutedTable {
        table: "owners",
        keys: &["owner"],
        shown_at: &[1],
        tables: &["owners"],
    },
];

/// Paths that show a patient.
fn paths(patient: Uuid) -> [String; 3] {
    [
        format!("/fhir/Patient/{patient}"),
        format!("/patients/{patient}"),
        "/patients".to_owned(),
    ]
}

impl SubstitutedTable {
    /// The substitution of `other`'s row for `victim`'s.
    fn substitution(
        &self,
        (there, other): (Uuid, Uuid),
        (here, victim): (Uuid, Uuid),
    ) -> Substitution<'_> {
        let known_by = |organization, id| {
            let mut columns = vec![("organization", hexed(organization))];
            columns.extend(self.keys.iter().map(|column| (*column, hexed(id))));
            columns
        };
        Substitution {
            table: self.table,
            genuine: known_by(there, other),
            pretended: known_by(here, victim),
        }
    }
}

#[tokio::test]
async fn a_record_of_another_patient_in_a_patient_s_place_is_never_shown() -> anyhow::Result<()> {
    let mut setup = SubstitutionSetup::new().await?;
    let (desk, clinician) = (setup.desk.clone(), setup.fixture.clinician.clone());
    let here = setup.fixture.organization;
    let victim = fhir::id(&setup.chart.patient);
    let mut failures = Failures::default();
    let others = [
        ("a neighbour", here, fhir::id(&setup.neighbour)),
        (
            "a patient of another organization",
            setup.other_organization,
            fhir::id(&setup.foreign_patient),
        ),
    ];
    for (whose, there, other) in others {
        for target in &TABLES {
            let substitution = target.substitution((there, other), (here, victim));
            // The front desk sees no chart, so a clinician requests its owner's row.
            let is_of_chart = target.table == "owners";
            let client = if is_of_chart { &clinician } else { &desk };
            let attempt = async {
                let mut responses = Vec::new();
                for path in paths(victim) {
                    responses.push((request(client, &path).await?, path));
                }
                Ok(responses)
            };
            let responses = setup
                .substitute_during(&substitution, Box::pin(attempt))
                .await?;
            for (index, (response, path)) in responses.iter().enumerate() {
                let what = format!("{} of {whose}: {path}", target.table);
                assert!(!response.text().contains("Foreigner"), "{what}");
                if target.shown_at.contains(&index) {
                    let running = &setup.fixture.running;
                    let outcome = if target.table == "demographics" {
                        // The rest of the list is shown.
                        assert!(
                            !response.text().contains("Neighbourly") || there != here,
                            "{what}"
                        );
                        running.expect_partial(response, target.tables).await
                    } else {
                        expect_no_disclosure(running, response, target.tables).await
                    };
                    failures.note(what, outcome);
                }
            }
            let whole = setup.chart.expect_complete(&clinician).await;
            whole.context(target.table)?;
            desk.page("/patients").await?.expect_status(200)?;
        }
    }
    failures.into_result()
}

#[tokio::test]
async fn a_key_of_another_patient_in_a_patient_s_place_opens_nothing() -> anyhow::Result<()> {
    let mut setup = SubstitutionSetup::new().await?;
    let client = setup.fixture.clinician.clone();
    let (here, there) = (
        hexed(setup.fixture.organization),
        hexed(setup.other_organization),
    );
    let victim = hexed(fhir::id(&setup.chart.patient));
    let path = format!("/fhir/{}", fhir::reference(&setup.chart.patient));
    let added = fhir::observation(&setup.chart.patient);
    let mut failures = Failures::default();
    for (organization, other) in [
        (&here, hexed(fhir::id(&setup.neighbour))),
        (&there, hexed(fhir::id(&setup.foreign_patient))),
    ] {
        let sql = format!("SELECT id FROM `keys` WHERE owner = {victim}");
        let key = hexed(setup.fixture.attacker.bytes(&sql, &[]).await?);
        let substitution = Substitution {
            table: "keys",
            genuine: vec![("organization", organization.clone()), ("owner", other)],
            pretended: vec![
                ("organization", here.clone()),
                ("owner", victim.clone()),
                ("id", key),
            ],
        };
        let change = substitution.change(&mut setup.fixture.attacker).await?;
        // A cold app has to read the key.
        let mut attacker = setup.fixture.running.attacker().await?;
        let attempt = async {
            setup.restart().await?;
            let (read, page) = (client.get(&path).await?, setup.chart.page(&client).await?);
            Ok([read, page, put(&client, &added).await?])
        };
        let responses = change.during(&mut attacker, attempt).await?;
        for (what, response) in ["read", "chart", "write"].into_iter().zip(&responses) {
            let tables = ["keys", "owners", "resource_versions"];
            let outcome = expect_no_disclosure(&setup.fixture.running, response, &tables).await;
            failures.note(what, outcome);
        }
        setup.chart.expect_complete(&client).await?;
    }
    failures.into_result()
}

#[tokio::test]
async fn an_account_row_in_another_account_s_place_grants_no_access() -> anyhow::Result<()> {
    let mut setup = SubstitutionSetup::new().await?;
    let desk = setup.desk.clone();
    let mut ids = Vec::new();
    for client in [&setup.fixture.clinician, &desk] {
        let me = client
            .get("/api/v1/session")
            .await?
            .expect_status(200)?
            .json()?;
        let id: Uuid = me["person"]["id"].as_str().context("an id")?.parse()?;
        ids.push(hexed(id));
    }
    let [clinician, clerk] = &ids[..] else {
        anyhow::bail!("two people")
    };
    let clinical = format!("/fhir/{}", fhir::reference(&setup.chart.observations[0]));
    let newest = |person: &str, column: &str| {
        format!("SELECT {column} FROM sessions WHERE person = {person} AND kind = 'bearer' LIMIT 1")
    };
    let mut hashes = Vec::new();
    for person in [clinician, clerk] {
        let sql = newest(person, "token_hash");
        hashes.push(hexed(setup.fixture.attacker.bytes(&sql, &[]).await?));
    }
    for (table, column, genuine, pretended) in [
        ("people", "id", clinician, clerk),
        ("sessions", "token_hash", &hashes[0], &hashes[1]),
    ] {
        let substitution = Substitution {
            table,
            genuine: vec![(column, genuine.clone())],
            pretended: vec![(column, pretended.clone())],
        };
        let attempt = async {
            tokio::time::sleep(CACHE_EXPIRY).await;
            Ok([
                desk.get(&clinical).await?,
                desk.get("/api/v1/session").await?,
            ])
        };
        for response in setup
            .substitute_during(&substitution, Box::pin(attempt))
            .await?
        {
            let status = response.status.as_u16();
            assert!(
                matches!(status, 401 | 500),
                "{table}: {status} {}",
                response.text()
            );
            let running = &setup.fixture.running;
            running.expect_reported(&response, &[table]).await?;
        }
        tokio::time::sleep(CACHE_EXPIRY).await;
        assert_eq!(desk.get(&clinical).await?.status, 403, "{table}");
        desk.get("/api/v1/session").await?.expect_status(200)?;
    }
    Ok(())
}
