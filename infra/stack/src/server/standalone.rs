//! A database server without the rest of a stack, on which the account `migrate` may create databases.

use std::time::Duration;
use std::time::Instant;

use anyhow::bail;
use nix::sys::signal::Signal;

use crate::settings::DATABASE_MEMORY;

use super::Extras;
use super::Server;
use super::greets;
use crate::home::Home;
use crate::process::Process;
use crate::process::last_lines;

/// A running server; killed when dropped.
#[derive(Debug)]
pub(crate) struct StandaloneServer {
    process: Process,
}

impl StandaloneServer {
    /// Starts a server in a folder that already has certificates.
    pub(crate) async fn start(server: &Server, home: &Home, port: u16) -> anyhow::Result<Self> {
        server.prepare(
            home,
            port,
            DATABASE_MEMORY,
            Extras {
                test_databases: true,
            },
        )?;
        let mut server_process = Self {
            process: server.program(home).start()?,
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        while !greets(port) {
            if server_process.process.ending().is_some() || Instant::now() > deadline {
                bail!(
                    "{} does not start:\n{}",
                    server.title(),
                    last_lines(&home.log("mysql"), 15)
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(server_process)
    }

    /// Stops it.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        self.process.stop(Duration::from_secs(30)).await
    }
}

impl Drop for StandaloneServer {
    fn drop(&mut self) {
        // An error cannot be reported from here.
        let _ = self.process.id.signal(Signal::SIGKILL);
    }
}
