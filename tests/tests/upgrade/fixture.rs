//! A stack of this release, with an app of the next release beside it.

use std::env;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use serde_json::Value;
use stack::SecondInstance;
use tests::Attacker;
use tests::Client;
use tests::Clinic;
use tests::IsolatedStack;
use tests::Role;
use tests::RunningStack;
use tests::TestResponse;
use tests::fhir;

/// The longest that web may take to readmit its app.
const TIMEOUT: Duration = Duration::from_secs(20);

/// An unfinished upgrade: the schema is the next release's, and both releases serve.
pub(super) struct Upgrade {
    // Declared before the stack, hence killed before it: the app uses the stack's database.
    _beside: SecondInstance,
    pub(super) isolated: IsolatedStack,
    /// The stack with the app of this release.
    pub(super) this: RunningStack,
    /// The stack with the app of the next release.
    pub(super) next: RunningStack,
    pub(super) attacker: Attacker,
    next_release: PathBuf,
}

impl Upgrade {
    pub(super) async fn begun() -> anyhow::Result<Self> {
        let folder = env::var_os("STACK_NEXT_BIN_DIR").filter(|folder| !folder.is_empty());
        let next_release = PathBuf::from(folder.context(
            "STACK_NEXT_BIN_DIR does not name the programs of the next release: run `cargo stack test --only stack`",
        )?);
        let isolated = IsolatedStack::start().await?;
        isolated.stack.migrate_with(&next_release).await?;
        let beside = isolated.stack.start_second_instance(&next_release).await?;
        let this = isolated.running()?;
        Ok(Self {
            next: RunningStack::of(beside.status())?,
            attacker: this.attacker().await?,
            this,
            isolated,
            _beside: beside,
            next_release,
        })
    }

    /// A client of this release, and one of the next release.
    pub(super) async fn clients(&self, role: Role) -> anyhow::Result<[Client; 2]> {
        let this = self.this.sign_in(role, Clinic::Riverside).await?;
        let next = self.next.sign_in(role, Clinic::Riverside).await?;
        Ok([this, next])
    }

    /// Runs `app finish` of the next release.
    pub(super) async fn finish(&self) -> anyhow::Result<String> {
        self.isolated.stack.finish_with(&self.next_release).await
    }

    /// Runs `app finish` of this release.
    pub(super) async fn finish_by_this(&self) -> anyhow::Result<String> {
        let stack = &self.isolated.stack;
        stack.finish_with(stack.binaries()).await
    }

    /// The number of log lines of this release that name the required release.
    pub(super) fn refusals(&self) -> anyhow::Result<usize> {
        let needed = "replace this process by a build of release 2 or later";
        Ok(self.this.logs()?.matches(needed).count())
    }

    /// Waits until there are more such log lines than `before`.
    pub(super) async fn until_refused_after(&self, before: usize) -> anyhow::Result<()> {
        let deadline = Instant::now() + TIMEOUT;
        while self.refusals()? <= before {
            anyhow::ensure!(Instant::now() < deadline, "this release logs no refusal");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// The number of demographics with a value in the column of the next release.
    pub(super) async fn notes(&mut self) -> anyhow::Result<i64> {
        let sql = "SELECT COUNT(*) FROM demographics WHERE next_release_note IS NOT NULL";
        self.attacker.number(sql, &[]).await
    }
}

/// Stores resources under their ids, in one transaction.
pub(super) async fn put(client: &Client, resources: &[&Value]) -> anyhow::Result<TestResponse> {
    client.bundle(&fhir::transaction(resources)).await
}

/// The same patient with another given name, so that a new version is stored.
pub(super) fn renamed(patient: &Value, given: &str) -> Value {
    let mut patient = patient.clone();
    patient["name"][0]["given"][0] = given.into();
    patient
}

/// Waits for `/readyz` of a release to have this status.
pub(super) async fn until_readiness_is(release: &RunningStack, status: u16) -> anyhow::Result<()> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let response = release.anonymous().get("/readyz").await?;
        if response.status == status || Instant::now() > deadline {
            return response.expect_status(status).map(|_answer| ());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Stores a patient, as soon as web has readmitted the app.
pub(super) async fn put_when_ready(client: &Client, patient: &Value) -> anyhow::Result<()> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let response = put(client, &[patient]).await?;
        if response.status == 200 || Instant::now() > deadline {
            return response.expect_status(200).map(|_answer| ());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
