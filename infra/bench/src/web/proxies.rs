//! The proxies that are measured, and the folder, certificates and ports that they share.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use load::Group;

use super::Options;
use super::peers;
use crate::pin;
use stack::Home;
use stack::free_ports;
use stack::process::Program;
use tools::binaries;

/// Number of ports, all reserved at once so that no two are the same.
const PORTS: usize = 16;

/// One proxy that is measured.
#[derive(Clone, Debug)]
pub(super) struct Proxy {
    /// Its name on the command line and in file names.
    pub(super) name: &'static str,
    /// Its name and version in tables.
    pub(super) title: String,
    /// The key exchanges it offers.
    pub(super) groups: Vec<Group>,
    pub(super) port: u16,
    pub(super) program: Program,
}

/// The folder, the certificates and the ports.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) home: Home,
    web: PathBuf,
    baseline: Option<PathBuf>,
    ports: [u16; PORTS],
}

impl Site {
    /// Makes an empty folder with certificates, and installs the programs that every proxy needs.
    pub(super) fn prepare(folder: &Path, baseline: Option<&Path>) -> anyhow::Result<Self> {
        let web = binaries::obtain_only(&["web"], true)?.join("web");
        let _ = fs::remove_dir_all(folder);
        let home = Home::at(folder)?;
        home.create()?;
        stack::issue_certificates(&home)?;
        let baseline = baseline.map(std::path::absolute).transpose();
        let site = Self {
            web,
            baseline: baseline.context("--baseline is no usable path")?,
            ports: free_ports()?,
            home,
        };
        peers::provide_load()?;
        Ok(site)
    }

    /// The origin in place of app, on the load's core.
    pub(super) fn origin(&self) -> anyhow::Result<Proxy> {
        peers::origin(self)
    }

    /// The reserved port of a number.
    pub(super) fn port(&self, number: usize) -> anyhow::Result<u16> {
        self.ports.get(number).copied().context("too few ports")
    }

    /// Removes the access logs, which are large.
    pub(super) fn remove_logs(&self) {
        let _ = fs::remove_dir_all(self.home.logs());
    }

    /// A program that is pinned to a core.
    pub(super) fn program(
        &self,
        name: &'static str,
        core: &str,
        path: &Path,
        arguments: Vec<OsString>,
        environment: Vec<(String, OsString)>,
    ) -> Program {
        let [nice, rest @ ..] = pin::prefix(core);
        let mut all: Vec<OsString> = rest.into_iter().map(OsString::from).collect();
        all.push(path.into());
        all.extend(arguments);
        Program {
            name,
            path: nice.into(),
            arguments: all,
            environment,
            log: self.home.log(name),
        }
    }
}

/// The installed proxies, web first; and the missing ones, with the reason.
pub(super) fn all(site: &Site, options: &Options) -> anyhow::Result<(Vec<Proxy>, Vec<String>)> {
    let mut there = vec![web(site, "web", "web".to_owned(), &site.web, 1)?];
    if let Some(baseline) = &site.baseline {
        there.push(web(
            site,
            "baseline",
            "web, baseline".to_owned(),
            baseline,
            3,
        )?);
    }
    let mut missing = Vec::new();
    for (number, name) in (5..).zip(peers::NAMES) {
        if !options.measures_beside(name) {
            continue;
        }
        match peers::obtain(site, name, number) {
            Ok(proxy) => there.push(proxy),
            Err(error) => missing.push(format!("{name} is missing: {error:#}")),
        }
    }
    Ok((there, missing))
}

/// web with every policy on. Only the limits of one client are raised, since all load has one address.
fn web(
    site: &Site,
    name: &'static str,
    title: String,
    path: &Path,
    port: usize,
) -> anyhow::Result<Proxy> {
    let (listen, redirect) = (site.port(port)?, site.port(port + 1)?);
    let file = |name: &str| site.home.certificate(name).into_os_string();
    let variables: Vec<(&str, OsString)> = vec![
        ("WEB_LISTEN", format!("127.0.0.1:{listen}").into()),
        (
            "WEB_REDIRECT_LISTEN",
            format!("127.0.0.1:{redirect}").into(),
        ),
        (
            "WEB_PUBLIC_ORIGIN",
            format!("https://localhost:{listen}").into(),
        ),
        ("WEB_TLS_CERTIFICATE_FILE", file("public/web.pem")),
        ("WEB_TLS_KEY_FILE", file("public/web.key")),
        (
            "WEB_UPSTREAMS",
            format!("127.0.0.1:{}", site.port(0)?).into(),
        ),
        ("WEB_UPSTREAM_NAME", "app.internal".into()),
        ("WEB_UPSTREAM_IDENTITY", stack::identity("app").into()),
        ("WEB_UPSTREAM_CA_FILE", file("internal/ca.pem")),
        ("WEB_UPSTREAM_CERTIFICATE_FILE", file("internal/web.pem")),
        ("WEB_UPSTREAM_KEY_FILE", file("internal/web.key")),
        ("WEB_WORKERS", "1".into()),
        ("TOKIO_WORKER_THREADS", "1".into()),
        ("WEB_REQUESTS_PER_MINUTE", "1000000000".into()),
        ("WEB_HANDSHAKES_PER_SECOND", "1000000".into()),
        ("WEB_CONNECTIONS_PER_CLIENT", "1000".into()),
    ];
    let variables = variables
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    Ok(Proxy {
        name,
        title,
        groups: vec![Group::X25519, Group::MlKem],
        port: listen,
        program: site.program(name, pin::MEASURED, path, Vec::new(), variables),
    })
}
