//! A second instance of both tiers beside a stack's own, on the same database and with the same keys.

use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use stack::Home;

use crate::running::Running;

/// The longest time until an instance serves.
const PATIENCE: Duration = Duration::from_mins(1);

/// A second web with a second app behind it; both are killed when dropped.
#[derive(Debug)]
pub struct Instance {
    /// The instance from outside. Its accounts and its database are the stack's own.
    pub running: Running,
    processes: [Child; 2],
}

impl Instance {
    /// Starts an instance beside a running stack, and waits until it serves.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn beside(stack: &Running) -> anyhow::Result<Self> {
        let home = Home::at(&stack.status.home)?;
        let [app_port, web_port, redirect_port] = free_ports()?;
        let address = |port: u16| format!("127.0.0.1:{port}");
        let logs = &stack.status.logs;
        let mut app = stack::command(&home, "app", &[])?;
        app.env("APP_LISTEN", address(app_port));
        app.env("APP_PUBLIC_ORIGIN", format!("https://localhost:{web_port}"));
        let mut web = stack::command(&home, "web", &[])?;
        web.env("WEB_LISTEN", address(web_port));
        web.env("WEB_REDIRECT_LISTEN", address(redirect_port));
        web.env("WEB_PUBLIC_ORIGIN", format!("https://localhost:{web_port}"));
        web.env("WEB_UPSTREAMS", address(app_port));
        let mut status = stack.status.clone();
        status.web.address = format!("https://localhost:{web_port}");
        status.app.address = address(app_port);
        let instance = Self {
            running: Running::of(status)?,
            processes: [
                start(app, &logs.join("app.second.log"))?,
                start(web, &logs.join("web.second.log"))?,
            ],
        };
        instance.serves().await?;
        Ok(instance)
    }

    async fn serves(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.running.nobody().get("/readyz").await;
            if answer.is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            anyhow::ensure!(
                Instant::now() < deadline,
                "the second instance does not serve"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn start(mut command: Command, log: &Path) -> anyhow::Result<Child> {
    let file = File::create(log).with_context(|| format!("{} cannot be made", log.display()))?;
    let started = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn();
    started.with_context(|| format!("{command:?} does not start"))
}

/// Ports that nothing listens on. Held until all are known, so that they differ.
fn free_ports() -> anyhow::Result<[u16; 3]> {
    let bind = || TcpListener::bind("127.0.0.1:0").context("no free port");
    let listeners = [bind()?, bind()?, bind()?];
    let mut ports = [0; 3];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}
