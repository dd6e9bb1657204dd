//! The architecture on AWS: its templates proved, and its machines started.

use anyhow::Context;

use super::Shared;
use super::cargo;
use super::step::Counts;
use super::step::StepResult;
use crate::infra;
use crate::progress::Progress;
use crate::tools;

/// Takes every proof that needs no account.
pub(super) async fn test(shared: &mut Shared) -> anyhow::Result<StepResult> {
    let proofs = tokio::task::spawn_blocking(|| infra::prove(Progress::shown()));
    let (passed, failed) = proofs.await.context("the proofs of the templates")??;
    let mut counts = Counts {
        passed,
        failed,
        skipped: 0,
    };
    tools::for_machines(Progress::shown())?;
    let variables = [("STACK_BIN_DIR", shared.binaries()?.into_os_string())];
    let machines = cargo::test(&shared.root, &["--test", "machine"], &variables).await?;
    if let StepResult::Done(more) = machines {
        counts.add(more);
    }
    Ok(StepResult::Done(counts))
}
