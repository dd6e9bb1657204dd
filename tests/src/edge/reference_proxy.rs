//! Debian's nginx and `HAProxy`: in front of an origin, for comparison with web, and in front of
//! web, as web's README configures them.

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

/// A proxy that forwards all requests to an origin, in plaintext on both sides.
#[derive(Debug)]
pub struct ReferenceProxy {
    /// The name of the program.
    pub name: &'static str,
    /// The port on the loopback interface.
    pub port: u16,
    child: Child,
    folder: TempDir,
}

/// The reason why a proxy is not available.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceProxyError {
    /// The program cannot be installed.
    #[error("{0:#}")]
    Missing(anyhow::Error),
    /// The program does not start.
    #[error("{0:#}")]
    Start(#[from] anyhow::Error),
}

impl ReferenceProxy {
    /// nginx, installed if it is missing.
    ///
    /// # Errors
    /// [`ReferenceProxyError::Missing`] if it cannot be installed.
    pub async fn nginx(origin: &Origin) -> Result<Self, ReferenceProxyError> {
        Self::start_nginx(|port| nginx_server(port, origin)).await
    }

    /// nginx with this content of its block `http`, which gets the port to listen on.
    ///
    /// # Errors
    /// [`ReferenceProxyError::Missing`] if it cannot be installed.
    pub async fn start_nginx(http: impl Fn(u16) -> String) -> Result<Self, ReferenceProxyError> {
        let program = packages::program("nginx", &["nginx-core"], Progress::shown());
        let program = program.map_err(ReferenceProxyError::Missing)?;
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
    /// [`ReferenceProxyError::Missing`] if it cannot be installed.
    pub async fn haproxy(origin: &Origin) -> Result<Self, ReferenceProxyError> {
        Self::start_haproxy(&haproxy_backend(origin)).await
    }

    /// `HAProxy` with a backend named `web`.
    ///
    /// # Errors
    /// [`ReferenceProxyError::Missing`] if it cannot be installed.
    pub async fn start_haproxy(backend: &str) -> Result<Self, ReferenceProxyError> {
        let program = packages::program("haproxy", &["haproxy"], Progress::shown());
        let program = program.map_err(ReferenceProxyError::Missing)?;
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
        let output = fs::File::create(folder.path().join("output"))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        let mut proxy = Self {
            name,
            port,
            child,
            folder,
        };
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            if proxy.child.try_wait()?.is_some() || Instant::now() > deadline {
                let output = fs::read_to_string(proxy.folder.path().join("output"))?;
                anyhow::bail!("{name} does not start: {output}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(proxy)
    }
}

impl Drop for ReferenceProxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The configuration around the block `http`.
fn nginx_conf(folder: &Path, http: &str) -> String {
    let temporary: Vec<String> = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("  {kind}_temp_path {}/{kind};\n", folder.display()))
        .collect();
    let temporary = temporary.concat();
    // One process, so that killing the child leaves no worker behind.
    format!(
        "daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log {folder}/error.log;\n\
         events {{}}\nhttp {{\n{temporary}  access_log off;\n{http}}}\n",
        folder = folder.display()
    )
}

/// A server that forwards all requests to an origin.
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

/// The configuration around a backend named `web`.
fn haproxy_cfg(port: u16, backend: &str) -> String {
    format!(
        "global\n  maxconn 100\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 5s\n  \
         timeout server 5s\nfrontend front\n  bind 127.0.0.1:{port}\n  default_backend web\n\
         {backend}"
    )
}

/// A backend that forwards all requests to an origin.
fn haproxy_backend(origin: &Origin) -> String {
    let origin = origin.port();
    format!(
        "backend web\n  http-request set-header host app.internal\n  \
         server origin 127.0.0.1:{origin}\n"
    )
}
