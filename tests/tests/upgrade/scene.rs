//! A stack of this release, with an app of the next release beside it.

use std::env;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use serde_json::Value;
use stack::SecondInstance;
use tests::Answer;
use tests::Apart;
use tests::Client;
use tests::Clinic;
use tests::Intruder;
use tests::Role;
use tests::Running;
use tests::fhir;

/// The longest that a web takes to see that its app is ready again.
const PATIENCE: Duration = Duration::from_secs(20);

/// An upgrade that is not finished: the schema is the next release's, and both releases serve.
pub(super) struct Upgrade {
    // Killed before the stack whose database it uses.
    _beside: SecondInstance,
    pub(super) apart: Apart,
    /// This release, from outside.
    pub(super) this: Running,
    /// The next release, from outside.
    pub(super) next: Running,
    pub(super) intruder: Intruder,
    next_release: PathBuf,
}

impl Upgrade {
    pub(super) async fn begun() -> anyhow::Result<Self> {
        let folder = env::var_os("STACK_NEXT_BIN_DIR").filter(|folder| !folder.is_empty());
        let next_release = PathBuf::from(folder.context(
            "STACK_NEXT_BIN_DIR does not name the programs of the next release: run `cargo stack test --only stack`",
        )?);
        let apart = Apart::up().await?;
        apart.stack.migrate_with(&next_release).await?;
        let beside = apart.stack.start_second_instance(&next_release).await?;
        let this = apart.running()?;
        Ok(Self {
            next: Running::of(beside.status())?,
            intruder: this.intruder().await?,
            this,
            apart,
            _beside: beside,
            next_release,
        })
    }

    /// A client of each release: this one's, and the next one's.
    pub(super) async fn clients(&self, role: Role) -> anyhow::Result<[Client; 2]> {
        let this = self.this.sign_in(role, Clinic::Riverside).await?;
        let next = self.next.sign_in(role, Clinic::Riverside).await?;
        Ok([this, next])
    }

    /// Runs `app finish` of the next release.
    pub(super) async fn finish(&self) -> anyhow::Result<String> {
        self.apart.stack.finish_with(&self.next_release).await
    }

    /// Runs `app finish` of this release.
    pub(super) async fn finish_by_this(&self) -> anyhow::Result<String> {
        let stack = &self.apart.stack;
        stack.finish_with(stack.binaries()).await
    }

    /// The number of times that this release logged which release is needed.
    pub(super) fn refusals(&self) -> anyhow::Result<usize> {
        let needed = "replace this process by a build of release 2 or later";
        Ok(self.this.logs()?.matches(needed).count())
    }

    /// Waits until this release has logged it more often than `before`.
    pub(super) async fn until_refused_after(&self, before: usize) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.refusals()? <= before {
            anyhow::ensure!(Instant::now() < deadline, "this release refuses nothing");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// The number of demographics with a value in the column that only the next release knows.
    pub(super) async fn notes(&mut self) -> anyhow::Result<i64> {
        let sql = "SELECT COUNT(*) FROM demographics WHERE next_release_note IS NOT NULL";
        self.intruder.number(sql, &[]).await
    }
}

/// Stores resources under their ids, in one transaction.
pub(super) async fn put(client: &Client, resources: &[&Value]) -> anyhow::Result<Answer> {
    client.bundle(&fhir::transaction(resources)).await
}

/// The same patient with another given name, so that a new version is stored.
pub(super) fn renamed(patient: &Value, given: &str) -> Value {
    let mut patient = patient.clone();
    patient["name"][0]["given"][0] = given.into();
    patient
}

/// Waits for a web to report this readiness, which it probes its app for.
pub(super) async fn until_readiness_is(release: &Running, status: u16) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = release.nobody().get("/readyz").await?;
        if answer.status == status || Instant::now() > deadline {
            return answer.expecting(status).map(|_answer| ());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Stores a patient, as soon as the web before the app sees that it is ready.
pub(super) async fn put_when_ready(client: &Client, patient: &Value) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = put(client, &[patient]).await?;
        if answer.status == 200 || Instant::now() > deadline {
            return answer.expecting(200).map(|_answer| ());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
