//! A stack for one test, for what would disturb tests that share a stack.

use std::fs;

use anyhow::Context;
use stack::Settings;
use stack::Stack;
use tempfile::TempDir;

use crate::running_stack::RunningStack;

/// A stack with its own folder and ports; killed and removed when dropped.
#[derive(Debug)]
pub struct IsolatedStack {
    /// The stack, whose processes can be killed, paused and restarted.
    pub stack: Stack,
    // Declared after the stack, hence dropped after it: its processes write into the folder.
    folder: TempDir,
}

impl IsolatedStack {
    /// Starts a stack with the default settings and no patients.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(|_| ()).await
    }

    /// Starts a stack with changed settings.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_with(change: impl FnOnce(&mut Settings)) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("isolated-stack-")
            .tempdir()
            .context("no folder for a stack")?;
        let mut settings = Settings::isolated(folder.path())?;
        change(&mut settings);
        let stack = Stack::up(settings)
            .await
            .context("the isolated stack does not start")?;
        Ok(Self { stack, folder })
    }

    /// The stack as its clients see it, with a new connection.
    ///
    /// # Errors
    /// When its status cannot be read.
    pub fn running(&self) -> anyhow::Result<RunningStack> {
        RunningStack::of(self.stack.status()?)
    }

    /// Stops the database server, adds lines to its configuration, and starts it again.
    ///
    /// # Errors
    /// When it does not start again.
    pub async fn reconfigure_database(&mut self, lines: &str) -> anyhow::Result<()> {
        self.stack.stop("mysql").await?;
        let path = self.folder.path().join("mysql/my.cnf");
        let mut text = fs::read_to_string(&path).context("my.cnf cannot be read")?;
        text.push_str(lines);
        fs::write(&path, text).context("my.cnf cannot be written")?;
        self.stack.start("mysql").await
    }
}
