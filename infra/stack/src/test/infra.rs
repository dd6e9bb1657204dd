//! The architecture on AWS: its templates proved, and its machines started.

use tokio::process::Command;
use tools::binaries;

use super::Shared;
use super::cargo;
use super::step::StepResult;

/// Runs every check of the templates that needs no AWS account, and the tests of their machines.
pub(super) async fn test(shared: &mut Shared) -> anyhow::Result<StepResult> {
    let posture = binaries::obtain_only(&["posture"], false)?.join("posture");
    let mut counts = cargo::counted(Command::new(posture).arg("prove"), "posture prove").await?;
    let variables = [("STACK_BIN_DIR", shared.binaries()?.into_os_string())];
    let machines = cargo::test(&shared.root, &["--test", "machine"], &variables).await?;
    if let StepResult::Done(more) = machines {
        counts.add(more);
    }
    Ok(StepResult::Done(counts))
}
