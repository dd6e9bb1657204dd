//! A running proxy: its CPU time and memory, with those of its child processes.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::bail;
use bytes::Bytes;
use http::Request;
use nix::sys::signal::Signal;

use super::PATH;
use super::site::Proxy;
use super::site::Site;
use crate::cpu;
use crate::pin;
use https_client::HttpsClient;
use stack::process::Process;
use stack::process::last_lines;

/// Upper bound of the time in which a proxy starts or stops.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A proxy and its process, which is terminated when dropped.
pub(super) struct Running {
    pub(super) proxy: Proxy,
    /// The CA of its certificate.
    pub(super) authority: PathBuf,
    process: Process,
}

impl Running {
    /// Starts a proxy and waits until it forwards a request to the origin.
    pub(super) async fn start(proxy: Proxy, site: &Site) -> anyhow::Result<Self> {
        let process = proxy.program.start()?;
        let running = Self {
            authority: site.home.certificate("public/ca.pem"),
            proxy,
            process,
        };
        let client = HttpsClient::new(running.proxy.port, &running.authority)?;
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let request = Request::get(PATH)
                .body(Bytes::new())
                .context("the request cannot be made")?;
            let response = client.send(request).await;
            if response.is_ok_and(|it| {
                it.status() == 200 && it.body().len() == super::peers::RESPONSE_BYTES
            }) {
                return Ok(running);
            }
            if Instant::now() > deadline {
                bail!(
                    "{} does not respond:\n{}",
                    running.proxy.title,
                    last_lines(&running.proxy.program.log, 15)
                );
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Starts the origin.
    pub(super) async fn origin(site: &Site) -> anyhow::Result<Self> {
        let proxy = super::peers::origin(site)?;
        let process = proxy.program.start()?;
        let running = Self {
            authority: site.home.certificate("internal/ca.pem"),
            proxy,
            process,
        };
        let deadline = Instant::now() + TIMEOUT;
        while tokio::net::TcpStream::connect(("127.0.0.1", running.proxy.port))
            .await
            .is_err()
        {
            if Instant::now() > deadline {
                bail!(
                    "the origin does not start:\n{}",
                    last_lines(&running.proxy.program.log, 15)
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(running)
    }

    /// Runs a load on the other core; returns its result and the CPU time of the proxy.
    pub(super) async fn load<T: Send + 'static>(
        &self,
        load: impl Future<Output = anyhow::Result<T>> + Send + 'static,
    ) -> anyhow::Result<(T, Duration)> {
        let before = self.cpu()?;
        let result = pin::on_load_core(load).await?;
        // The responses have arrived; closing connections takes a moment more.
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok((result, self.cpu()?.saturating_sub(before)))
    }

    /// Resident memory in MiB.
    pub(super) fn resident(&self) -> anyhow::Result<f64> {
        self.mebibytes("VmRSS:")
    }

    /// The peak of resident memory, in MiB.
    pub(super) fn peak(&self) -> anyhow::Result<f64> {
        self.mebibytes("VmHWM:")
    }

    /// Stops it.
    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        self.process.stop(TIMEOUT).await
    }

    fn mebibytes(&self, field: &str) -> anyhow::Result<f64> {
        let mut sum = 0.0;
        for pid in cpu::tree(self.process.id.pid) {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix(field));
            let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
            sum += kibibytes
                .and_then(|number| number.trim().parse::<f64>().ok())
                .with_context(|| format!("/proc does not show the memory of process {pid}"))?;
        }
        Ok(sum / 1024.0)
    }

    fn cpu(&self) -> anyhow::Result<Duration> {
        cpu::time_of(self.process.id.pid).with_context(|| self.proxy.title.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error cannot be reported from here.
        let _ = self.process.id.signal(Signal::SIGTERM);
    }
}
