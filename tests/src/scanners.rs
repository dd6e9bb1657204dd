//! Scanners and test suites of others, which try the edge from outside. Each is installed when a test first needs it.

pub mod core_rule_set;
pub mod slow_http;

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use progress::Progress;
use tools::NODE;
use tools::Npm;
use tools::Python;
use tools::packages;

/// The TLS scanner that knows Mozilla's recommendations.
const SSLYZE: Python = Python {
    name: "sslyze",
    requirements: include_str!("../requirements/sslyze.txt"),
};

/// MDN's scanner of a site's response headers.
const OBSERVATORY: Npm = Npm {
    name: "http-observatory-1.4.8",
    node: NODE,
    files: &[
        (
            "package.json",
            include_str!("../programs/http-observatory/package.json"),
        ),
        (
            "package-lock.json",
            include_str!("../programs/http-observatory/package-lock.json"),
        ),
        // What the package would fetch when it is installed: the names that browsers know to be HTTPS only. The
        // stack's name is not among them.
        (
            "node_modules/@mdn/mdn-http-observatory/conf/hsts-preload.json",
            "{}",
        ),
    ],
};

/// The accessibility checks of Deque, which run in a page.
const AXE: Npm = Npm {
    name: "axe-core-4.14.1",
    node: NODE,
    files: &[
        (
            "package.json",
            include_str!("../programs/axe-core/package.json"),
        ),
        (
            "package-lock.json",
            include_str!("../programs/axe-core/package-lock.json"),
        ),
    ],
};

/// The script that runs a scan. Not kept with the packages, so that it is never an old one.
const SCAN: &str = include_str!("../programs/http-observatory/scan.mjs");

/// The source of axe-core, to be run in a page.
///
/// # Errors
/// When npm is not available.
pub fn axe() -> anyhow::Result<String> {
    let folder = AXE.obtain(Progress::hidden())?;
    let path = folder.join("node_modules/axe-core/axe.min.js");
    std::fs::read_to_string(path).context("axe-core cannot be read")
}

/// The path of `testssl.sh`, under Debian's name for it.
///
/// # Errors
/// When it is missing and cannot be installed: names the command to run.
pub fn testssl() -> anyhow::Result<PathBuf> {
    packages::program("testssl", &["testssl.sh"], Progress::hidden())
}

/// The path of `sslyze`.
///
/// # Errors
/// When Python or `PyPI` is not available.
pub fn sslyze() -> anyhow::Result<PathBuf> {
    Ok(SSLYZE.obtain(Progress::hidden())?.join("bin/sslyze"))
}

/// A command that runs MDN's HTTP Observatory on pages of `https://localhost`, whose certificate the CA in `authority`
/// signed. Its one argument is still to be added: JSON of the form `{"httpsPort": 8443, "httpPort": 8080, "pages":
/// [{"path": "/sign-in", "cookie": "name=value"}]}`, the cookie being optional. It prints an array with the
/// Observatory's own result for each page.
///
/// # Errors
/// When Python, `PyPI` or npm is not available.
pub fn observatory(authority: &Path) -> anyhow::Result<Command> {
    let folder = OBSERVATORY.obtain(Progress::hidden())?;
    let mut command = OBSERVATORY.node(Progress::hidden())?;
    command
        .current_dir(folder)
        .args(["--input-type=module", "--eval", SCAN, "--"])
        .env("NODE_EXTRA_CA_CERTS", authority);
    Ok(command)
}
