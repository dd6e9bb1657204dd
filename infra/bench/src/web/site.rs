//! The folder, certificates and ports that the measured proxies share.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use load::Group;
use stack::Home;
use stack::free_ports;
use stack::process::Program;
use tools::binaries;

use crate::pin;

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
    pub(super) web: PathBuf,
    pub(super) baseline: Option<PathBuf>,
    ports: [u16; PORTS],
}

impl Site {
    /// Makes an empty folder with certificates, and obtains web.
    pub(super) fn prepare(folder: &Path, baseline: Option<&Path>) -> anyhow::Result<Self> {
        let web = binaries::obtain_only(&["web"], true)?.join("web");
        let _ = fs::remove_dir_all(folder);
        let home = Home::at(folder)?;
        home.create()?;
        stack::issue_certificates(&home)?;
        let baseline = baseline.map(std::path::absolute).transpose();
        Ok(Self {
            web,
            baseline: baseline.context("--baseline is no usable path")?,
            ports: free_ports()?,
            home,
        })
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
