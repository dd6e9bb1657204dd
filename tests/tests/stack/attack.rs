//! What the attacks of a writer to the database share: who is there, and changes that are always taken back.

use std::time::Duration;

use anyhow::Context;
use futures::future::LocalBoxFuture;
use serde_json::Value;
use tests::Answer;
use tests::Client;
use tests::Clinic;
use tests::Intruder;
use tests::Running;
use tests::fhir;
use uuid::Uuid;

/// For longer than an instance keeps verified rows: sessions, people, the registry of indexes.
pub(crate) const FORGOTTEN: Duration = Duration::from_millis(1_200);

/// Bytes as SQL spells them.
pub(crate) fn hexed(bytes: impl AsRef<[u8]>) -> String {
    format!("X'{}'", hex::encode(bytes))
}

/// A change to the database: statements, each with what takes it back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change(Vec<(String, Vec<String>)>);

impl Change {
    /// A change that `there` makes and `back` takes back.
    pub(crate) fn new(there: impl Into<String>, back: impl Into<String>) -> Self {
        Self(vec![(there.into(), vec![back.into()])])
    }

    /// Hides the rows of a table that meet a condition: they are another organization's, which nobody asks for.
    /// What is written in their place meanwhile gives way to them.
    pub(crate) fn hides(table: &str, organization: Uuid, condition: &str) -> Self {
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

    /// This change and then another.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Makes the change, tries something, and takes the change back whatever came of it.
    pub(crate) fn during<'a, T: 'a>(
        &'a self,
        intruder: &'a mut Intruder,
        tried: impl Future<Output = anyhow::Result<T>> + 'a,
    ) -> LocalBoxFuture<'a, anyhow::Result<T>> {
        let tried = Box::pin(tried);
        Box::pin(async move {
            let (made, whole) = self.make(intruder).await;
            let outcome = match whole {
                Ok(()) => tried.await,
                Err(error) => Err(error),
            };
            let made = self.0.iter().take(made).rev();
            let mut taken_back = Ok(());
            for statement in made.flat_map(|(_, back)| back) {
                let done = intruder.execute(statement, &[]).await;
                let done = done.with_context(|| format!("not taken back: {statement}"));
                taken_back = taken_back.and(done.map(|_rows| ()));
            }
            taken_back.and(outcome)
        })
    }

    /// How many of the statements were executed, and what ended it if these are not all.
    async fn make(&self, intruder: &mut Intruder) -> (usize, anyhow::Result<()>) {
        for (made, (there, _)) in self.0.iter().enumerate() {
            if let Err(error) = execute(intruder, there).await {
                return (made, Err(error));
            }
        }
        (self.0.len(), Ok(()))
    }
}

async fn execute(intruder: &mut Intruder, statement: &str) -> anyhow::Result<()> {
    let touched = intruder.execute(statement, &[]).await;
    let touched = touched.with_context(|| statement.to_owned())?;
    let changes_rows = statement.starts_with("UPDATE");
    anyhow::ensure!(touched > 0 || !changes_rows, "no row: {statement}");
    Ok(())
}

/// What went wrong, of many things that are tried: all of it is shown in the end.
#[derive(Default)]
pub(crate) struct Faults(Vec<String>);

impl Faults {
    /// Notes what went wrong, if something did.
    pub(crate) fn note(&mut self, what: impl std::fmt::Display, outcome: anyhow::Result<()>) {
        if let Err(error) = outcome {
            let why: String = format!("{error:#}").chars().take(900).collect();
            self.0.push(format!("{what}: {why}"));
        }
    }

    /// Fails if anything went wrong.
    pub(crate) fn none(self) -> anyhow::Result<()> {
        anyhow::ensure!(self.0.is_empty(), "{}", self.0.join("\n"));
        Ok(())
    }
}

/// A patient with observations, the first of which was amended once.
pub(crate) struct Chart {
    pub(crate) patient: Value,
    pub(crate) observations: Vec<Value>,
}

impl Chart {
    /// Stores one.
    pub(crate) async fn stored(client: &Client) -> anyhow::Result<Self> {
        let patient = fhir::patient();
        let mut observations: Vec<Value> = (0..3).map(|_| fhir::observation(&patient)).collect();
        let mut all = vec![&patient];
        all.extend(&observations);
        client
            .bundle(&fhir::transaction(&all))
            .await?
            .expecting(200)?;
        observations[0] = amended(&observations[0]);
        put(client, &observations[0]).await?.expecting(200)?;
        Ok(Self {
            patient,
            observations,
        })
    }

    /// Its page.
    pub(crate) async fn page(&self, client: &Client) -> anyhow::Result<Answer> {
        client
            .page(&format!("/patients/{}", fhir::id(&self.patient)))
            .await
    }

    /// Asserts that nothing of it is lost, and that it can be written to.
    pub(crate) async fn is_whole(&self, client: &Client) -> anyhow::Result<()> {
        let added = fhir::observation(&self.patient);
        put(client, &added).await?.expecting(200)?;
        let page = self.page(client).await?.expecting(200)?;
        anyhow::ensure!(page.text().contains("Heart rate"), "{}", page.text());
        for resource in self.observations.iter().chain([&self.patient]) {
            let kind = resource["resourceType"].as_str().context("a type")?;
            let read = client.read(kind, fhir::id(resource)).await?;
            anyhow::ensure!(fhir::without_stamp(&read) == *resource, "{read}");
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

/// Writes one resource.
pub(crate) async fn put(client: &Client, resource: &Value) -> anyhow::Result<Answer> {
    client.bundle(&fhir::transaction(&[resource])).await
}

/// A clinician of Riverside, and someone who may write every row.
pub(crate) struct Scene {
    pub(crate) running: Running,
    pub(crate) intruder: Intruder,
    pub(crate) clinician: Client,
    pub(crate) organization: Uuid,
}

impl Scene {
    /// The scene on a stack.
    pub(crate) async fn on(running: Running) -> anyhow::Result<Self> {
        let mut intruder = running.intruder().await?;
        Ok(Self {
            clinician: running.clinician(Clinic::Riverside).await?,
            organization: intruder.organization(Clinic::Riverside.word()).await?,
            intruder,
            running,
        })
    }
}
