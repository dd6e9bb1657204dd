//! Runs the examples of integration tests, `infra/compose/examples/`, against the containers.

use std::process::Stdio;

use anyhow::Context;
use anyhow::ensure;
use tools::workspace;

use super::project::Project;
use crate::home::Home;

/// The one in Python, in a container on the network of the clients.
pub(super) fn python(project: &Project) -> anyhow::Result<String> {
    project.run_tests(None).context("the example in Python")?;
    Ok("a container on the network `edge` tests https://web:8443 (example in Python)".to_owned())
}

/// The one in Rust, on this machine.
pub(super) async fn rust(project: &Project, home: &Home) -> anyhow::Result<String> {
    let output = tokio::process::Command::new(workspace::cargo())
        .current_dir(workspace::root()?)
        .args(["test", "--workspace", "--test", "compose-example"])
        .args(["--", "--ignored"])
        .env("STACK_URL", project.origin())
        .env("STACK_CA", home.certificate("public/ca.pem"))
        .env("STACK_SIGN_INS", home.accounts())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("cargo cannot be started")?;
    ensure!(
        output.status.success(),
        "the example in Rust fails:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok("a program on this machine tests the published port (example in Rust)".to_owned())
}
