//! The replacement of the database with an empty one.

use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::ensure;
use progress::Progress;

use super::Project;

/// Upper bound of the time until the database accepts connections.
const DATABASE_TIMEOUT: Duration = Duration::from_mins(1);

/// The health check of the database.
const PING: &str = "mysqladmin --socket=/run/mysqld/mysqld.sock --user=nobody --silent ping";

impl Project {
    /// Replaces the database with an empty one, in which the demo organizations are provisioned again.
    /// Certificates, passwords of the demo people and the keys of the key service stay.
    ///
    /// Starts the existing containers itself: `docker compose up` would run `setup` again, and wait
    /// for the interval of each health check.
    pub(in crate::compose) async fn reset(&self, progress: Progress) -> anyhow::Result<()> {
        let step = progress.step("replacing the database");
        // Killed: the data is removed, and no request has to be completed.
        self.run(&["kill", "web", "app", "db"]).await?;
        self.remove_data().await?;
        self.start(&[], &["db"]).await?;
        self.wait_for_database().await?;
        self.start(&["--attach"], &["migrate"]).await?;
        let provisioned = self.start(&["--attach"], &["provision"]);
        let (started, provisioned) = tokio::join!(self.start(&[], &["app", "web"]), provisioned);
        started?;
        provisioned?;
        step.done();
        Ok(())
    }

    /// Removes the data folder; the database begins with a new one when it starts.
    async fn remove_data(&self) -> anyhow::Result<()> {
        let database = self.inspect("db")?.pop().context("db has no container")?;
        let text = |pointer: &str| database.pointer(pointer).and_then(|value| value.as_str());
        let id = text("/Id").context("the container of db has no id")?;
        let image = text("/Image").context("the container of db has no image")?;
        let run = ["run", "--rm", "--network", "none", "--volumes-from", id];
        let remove = ["--entrypoint", "rm", image, "-rf", "/data/mysql"];
        self.run_docker(&[run.as_slice(), remove.as_slice()].concat())
            .await
    }

    /// Starts all containers of services; with `--attach`, waits until they succeed.
    async fn start(&self, options: &[&str], services: &[&str]) -> anyhow::Result<()> {
        let ids = self.output(&[["ps", "--all", "--quiet"].as_slice(), services].concat())?;
        let mut arguments = vec!["start"];
        arguments.extend(options);
        arguments.extend(ids.split_whitespace());
        self.run_docker(&arguments).await
    }

    async fn wait_for_database(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        while !self.exec("db", 1, PING)? {
            ensure!(
                begun.elapsed() < DATABASE_TIMEOUT,
                "the database does not accept connections"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }
}
