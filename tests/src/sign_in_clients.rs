//! Third-party authenticator libraries: `pyotp` and Yubico's `fido2`, unmodified. They are installed when a test first needs them.

use std::path::Path;
use std::process::Command;

use anyhow::Context;
use anyhow::ensure;
use stack::Account;

use progress::Progress;
use tools::Python;

/// The libraries, from `PyPI`.
const LIBRARIES: Python = Python {
    name: "sign-in",
    requirements: include_str!("../requirements/sign-in.txt"),
};

const PROGRAM: &str = include_str!("../programs/sign-in/sign_in.py");

/// Sets up an app and passkeys of each algorithm for an account without a second factor, and signs in with each, on a server
/// whose certificate the CA in the file `authority` signed. Returns the output of the program.
///
/// # Errors
/// When the libraries cannot be installed, or the server does not do what they expect; shows the output.
pub fn sign_in_with_each(
    origin: &str,
    authority: &Path,
    account: &Account,
) -> anyhow::Result<String> {
    let environment = LIBRARIES.obtain(Progress::hidden())?;
    let output = Command::new(environment.join("bin/python"))
        .args(["-c", PROGRAM])
        .env("URL", origin)
        .env("CA", authority)
        .env("EMAIL", &account.email)
        .env("PASSWORD", &account.password)
        .output()
        .context("python cannot be started")?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    ensure!(
        output.status.success(),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    Ok(text(&output.stdout))
}
