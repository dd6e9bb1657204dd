//! web, tested by scanners and test suites of others, and by attacks.

use super::Shared;
use super::step::StepResult;
use super::whole_stack;

/// Runs web's tests.
pub(super) async fn test(shared: &mut Shared) -> anyhow::Result<StepResult> {
    whole_stack::run(shared, |name| name.starts_with("edge")).await
}
