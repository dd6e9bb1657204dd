//! Common parts of attacks with write access to the database: fixtures, and changes that are always
//! reverted.

use std::time::Duration;

use anyhow::Context;
use futures::future::LocalBoxFuture;
use serde_json::Value;
use tests::Attacker;
use tests::Client;
use tests::Clinic;
use tests::RunningStack;
use tests::TestResponse;
use tests::fhir;
use uuid::Uuid;

/// Longer than an instance caches verified rows: sessions, people, the registry of indexes.
pub(crate) const CACHE_EXPIRY: Duration = Duration::from_millis(1_200);

/// Bytes as a literal of SQL.
pub(crate) fn hexed(bytes: impl AsRef<[u8]>) -> String {
    format!("X'{}'", hex::encode(bytes))
}

/// A change of the database: statements, each with those that revert it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change(Vec<(String, Vec<String>)>);

impl Change {
    /// A change by one statement, which another one reverts.
    pub(crate) fn new(there: impl Into<String>, back: impl Into<String>) -> Self {
        Self(vec![(there.into(), vec![back.into()])])
    }

    /// Hides the rows of a table that meet a condition: it assigns them to an organization that
    /// does not exist. The reversal deletes rows that were written in their place.
    pub(crate) fn hide(table: &str, organization: Uuid, condition: &str) -> Self {
        let moved = |from: &str, to: &str| {
            format!(
                "UPDATE {table} SET organization = {to} WHERE organization = {from} AND {condition}"
            )
        };
        let (nowhere, here) = (hexed([0xFF; 16]), hexed(organization));
        let instead = format!("DELETE FROM {table} WHERE organization = {here} AND {condition}");
        Self(vec![(
            moved(&here, &nowhere),
            vec![instead, moved(&nowhere, &here)],
        )])
    }

    /// This change, followed by another.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Makes the change, runs a future, and reverts the change whatever its result.
    pub(crate) fn during<'a, T: 'a>(
        &'a self,
        attacker: &'a mut Attacker,
        attempt: impl Future<Output = anyhow::Result<T>> + 'a,
    ) -> LocalBoxFuture<'a, anyhow::Result<T>> {
        let attempt = Box::pin(attempt);
        Box::pin(async move {
            let (executed, result) = self.execute(attacker).await;
            let outcome = match result {
                Ok(()) => attempt.await,
                Err(error) => Err(error),
            };
            let executed = self.0.iter().take(executed).rev();
            let mut reverted = Ok(());
            for statement in executed.flat_map(|(_, back)| back) {
                let done = attacker.execute(statement, &[]).await;
                let done = done.with_context(|| format!("not reverted: {statement}"));
                reverted = reverted.and(done.map(|_rows| ()));
            }
            reverted.and(outcome)
        })
    }

    /// Executes the statements. Returns how many were executed, and the error of the next one.
    async fn execute(&self, attacker: &mut Attacker) -> (usize, anyhow::Result<()>) {
        for (executed, (there, _)) in self.0.iter().enumerate() {
            if let Err(error) = execute_changing(attacker, there).await {
                return (executed, Err(error));
            }
        }
        (self.0.len(), Ok(()))
    }
}

/// Executes a statement; an `UPDATE` must change rows, so that no test passes without its tampering.
async fn execute_changing(attacker: &mut Attacker, statement: &str) -> anyhow::Result<()> {
    let touched = attacker.execute(statement, &[]).await;
    let touched = touched.with_context(|| statement.to_owned())?;
    let changes_rows = statement.starts_with("UPDATE");
    anyhow::ensure!(
        touched > 0 || !changes_rows,
        "no row was changed: {statement}"
    );
    Ok(())
}

/// The failures of a series of attempts, which are reported together at the end.
#[derive(Default)]
pub(crate) struct Failures(Vec<String>);

impl Failures {
    /// Notes the failure of an attempt, if it failed.
    pub(crate) fn note(&mut self, what: impl std::fmt::Display, outcome: anyhow::Result<()>) {
        if let Err(error) = outcome {
            let why: String = format!("{error:#}").chars().take(900).collect();
            self.0.push(format!("{what}: {why}"));
        }
    }

    /// Fails if any attempt failed.
    pub(crate) fn into_result(self) -> anyhow::Result<()> {
        anyhow::ensure!(self.0.is_empty(), "{}", self.0.join("\n"));
        Ok(())
    }
}

/// A patient with three observations, the first of which was amended once.
pub(crate) struct Chart {
    pub(crate) patient: Value,
    pub(crate) observations: Vec<Value>,
}

impl Chart {
    /// Stores a new patient with observations.
    pub(crate) async fn stored(client: &Client) -> anyhow::Result<Self> {
        let patient = fhir::patient();
        let mut observations: Vec<Value> = (0..3).map(|_| fhir::observation(&patient)).collect();
        let mut all = vec![&patient];
        all.extend(&observations);
        client
            .bundle(&fhir::transaction(&all))
            .await?
            .expect_status(200)?;
        observations[0] = amended(&observations[0]);
        put(client, &observations[0]).await?.expect_status(200)?;
        Ok(Self {
            patient,
            observations,
        })
    }

    /// The page of the chart.
    pub(crate) async fn page(&self, client: &Client) -> anyhow::Result<TestResponse> {
        client
            .page(&format!("/patients/{}", fhir::id(&self.patient)))
            .await
    }

    /// Requires that the chart is complete and can be written to.
    pub(crate) async fn expect_complete(&self, client: &Client) -> anyhow::Result<()> {
        let added = fhir::observation(&self.patient);
        put(client, &added).await?.expect_status(200)?;
        let page = self.page(client).await?.expect_status(200)?;
        anyhow::ensure!(page.text().contains("Heart rate"), "{}", page.text());
        for resource in self.observations.iter().chain([&self.patient]) {
            let kind = resource["resourceType"].as_str().context("a type")?;
            let read = client.read(kind, fhir::id(resource)).await?;
            anyhow::ensure!(fhir::without_server_meta(&read) == *resource, "{read}");
        }
        Ok(())
    }
}

/// The same observation with another value.
pub(crate) fn amended(observation: &Value) -> Value {
    let mut observation = observation.clone();
    let value = observation["valueQuantity"]["value"]
        .as_i64()
        .unwrap_or_default();
    observation["valueQuantity"]["value"] = (value + 1).into();
    observation
}

/// Stores a new patient with this family name.
pub(crate) async fn stored_patient(client: &Client, family: &str) -> anyhow::Result<Value> {
    let mut patient = fhir::patient();
    patient["name"][0]["family"] = family.into();
    client
        .bundle(&fhir::transaction(&[&patient]))
        .await?
        .expect_status(200)?;
    Ok(patient)
}

/// Stores one resource.
pub(crate) async fn put(client: &Client, resource: &Value) -> anyhow::Result<TestResponse> {
    client.bundle(&fhir::transaction(&[resource])).await
}

/// A clinician of Riverside, and an attacker with write access to every table.
pub(crate) struct Fixture {
    pub(crate) running: RunningStack,
    pub(crate) attacker: Attacker,
    pub(crate) clinician: Client,
    pub(crate) organization: Uuid,
}

impl Fixture {
    /// The fixture on this stack.
    pub(crate) async fn on(running: RunningStack) -> anyhow::Result<Self> {
        let mut attacker = running.attacker().await?;
        Ok(Self {
            clinician: running.clinician(Clinic::Riverside).await?,
            organization: attacker
                .organization(Clinic::Riverside.first_word())
                .await?,
            attacker,
            running,
        })
    }
}
