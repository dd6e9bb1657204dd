//! Other proxies, Debian's nginx and `HAProxy`: in front of an origin, to compare ours with, and in
//! front of ours, as its README says.

use std::fs;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use progress::Progress;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tools::packages;

use super::origin::Origin;
use super::web::free_ports;

/// A proxy that hands everything on to an origin, in the clear on both sides.
#[derive(Debug)]
pub struct Peer {
    /// What it is called.
    pub name: &'static str,
    /// Where it listens, on the loopback interface.
    pub port: u16,
    child: Child,
    folder: TempDir,
}

/// Why there is nobody to compare with.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// It is not installed, and cannot be.
    #[error("{0:#}")]
    Missing(anyhow::Error),
    /// It does not start.
    #[error("{0:#}")]
    Start(#[from] anyhow::Error),
}

impl Peer {
    /// nginx, installed if it is missing.
    ///
    /// # Errors
    /// [`PeerError::Missing`] where it cannot be installed.
    pub async fn nginx(origin: &Origin) -> Result<Self, PeerError> {
        Self::start_nginx(|port| nginx_server(port, origin)).await
    }

    /// nginx with a configuration of its block `http`, made for the port it has to listen on.
    ///
    /// # Errors
    /// [`PeerError::Missing`] where it cannot be installed.
    pub async fn start_nginx(http: impl Fn(u16) -> String) -> Result<Self, PeerError> {
        let program = packages::program("nginx", &["nginx-core"], Progress::shown());
        let program = program.map_err(PeerError::Missing)?;
        let [port] = free_ports()?;
        let folder = tempfile::tempdir().context("no folder")?;
        let configuration = folder.path().join("nginx.conf");
        let text = nginx_conf(folder.path(), &http(port));
        fs::write(&configuration, text).context("nginx.conf")?;
        let mut command = Command::new(program);
        command.arg("-p").arg(folder.path());
        command.arg("-c").arg(&configuration);
        Ok(Self::start("nginx", port, command, folder).await?)
    }

    /// `HAProxy`, installed if it is missing.
    ///
    /// # Errors
    /// [`PeerError::Missing`] where it cannot be installed.
    pub async fn haproxy(origin: &Origin) -> Result<Self, PeerError> {
        Self::start_haproxy(&haproxy_backend(origin)).await
    }

    /// `HAProxy` with a backend of the name `web`.
    ///
    /// # Errors
    /// [`PeerError::Missing`] where it cannot be installed.
    pub async fn start_haproxy(backend: &str) -> Result<Self, PeerError> {
        let program = packages::program("haproxy", &["haproxy"], Progress::shown());
        let program = program.map_err(PeerError::Missing)?;
        let [port] = free_ports()?;
        let folder = tempfile::tempdir().context("no folder")?;
        let configuration = folder.path().join("haproxy.cfg");
        fs::write(&configuration, haproxy_cfg(port, backend)).context("haproxy.cfg")?;
        let mut command = Command::new(program);
        command.arg("-db").arg("-f").arg(&configuration);
        Ok(Self::start("haproxy", port, command, folder).await?)
    }

    async fn start(
        name: &'static str,
        port: u16,
        mut command: Command,
        folder: TempDir,
    ) -> anyhow::Result<Self> {
        let said = fs::File::create(folder.path().join("said"))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        let mut peer = Self {
            name,
            port,
            child,
            folder,
        };
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            if peer.child.try_wait()?.is_some() || Instant::now() > deadline {
                let said = fs::read_to_string(peer.folder.path().join("said"))?;
                anyhow::bail!("{name} does not start: {said}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(peer)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A configuration around its block `http`.
fn nginx_conf(folder: &Path, http: &str) -> String {
    let temporary: Vec<String> = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("  {kind}_temp_path {}/{kind};\n", folder.display()))
        .collect();
    let temporary = temporary.concat();
    // One process, so that whoever ends it ends all of it.
    format!(
        "daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log {folder}/error.log;\n\
         events {{}}\nhttp {{\n{temporary}  access_log off;\n{http}}}\n",
        folder = folder.display()
    )
}

/// A server that hands everything on to an origin.
fn nginx_server(port: u16, origin: &Origin) -> String {
    let origin = origin.port();
    format!(
        "  upstream origin {{\n    server 127.0.0.1:{origin};\n    keepalive 8;\n  }}\n  \
         server {{\n    listen 127.0.0.1:{port};\n    large_client_header_buffers 8 16k;\n    \
         client_max_body_size 10m;\n    location / {{\n      proxy_pass http://origin;\n      \
         proxy_http_version 1.1;\n      proxy_set_header Host app.internal;\n      \
         proxy_set_header Connection \"\";\n    }}\n  }}\n"
    )
}

/// A configuration around a backend of the name `web`.
fn haproxy_cfg(port: u16, backend: &str) -> String {
    format!(
        "global\n  maxconn 100\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 5s\n  \
         timeout server 5s\nfrontend front\n  bind 127.0.0.1:{port}\n  default_backend web\n\
         {backend}"
    )
}

/// A backend that hands everything on to an origin.
fn haproxy_backend(origin: &Origin) -> String {
    let origin = origin.port();
    format!(
        "backend web\n  http-request set-header host app.internal\n  \
         server origin 127.0.0.1:{origin}\n"
    )
}
