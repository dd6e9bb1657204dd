//! A stack of a test's own, for what would disturb the others.

use std::fs;

use anyhow::Context;
use stack::Settings;
use stack::Stack;
use tempfile::TempDir;

use crate::running::Running;

/// A stack in a folder and on ports of its own; killed and removed when dropped.
#[derive(Debug)]
pub struct Apart {
    /// The stack, whose processes can be killed, paused and started again.
    pub stack: Stack,
    // Dropped after the stack, whose processes write into it.
    folder: TempDir,
}

impl Apart {
    /// Brings up an ordinary stack without patients.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn up() -> anyhow::Result<Self> {
        Self::up_with(|_| ()).await
    }

    /// Brings up a stack whose settings are changed first.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn up_with(change: impl FnOnce(&mut Settings)) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("stack-apart-")
            .tempdir()
            .context("no folder for a stack")?;
        let mut settings = Settings::isolated(folder.path())?;
        change(&mut settings);
        let stack = Stack::up(settings)
            .await
            .context("a stack of one's own does not come up")?;
        Ok(Self { stack, folder })
    }

    /// The stack from outside, with a new connection.
    ///
    /// # Errors
    /// When its status cannot be read.
    pub fn running(&self) -> anyhow::Result<Running> {
        Running::of(self.stack.status()?)
    }

    /// Stops the database server, adds lines to its configuration, and starts it again.
    ///
    /// # Errors
    /// When it does not come back.
    pub async fn reconfigure_database(&mut self, lines: &str) -> anyhow::Result<()> {
        self.stack.stop("mysql").await?;
        let path = self.folder.path().join("mysql/my.cnf");
        let mut text = fs::read_to_string(&path).context("my.cnf cannot be read")?;
        text.push_str(lines);
        fs::write(&path, text).context("my.cnf cannot be written")?;
        self.stack.start("mysql").await
    }
}
