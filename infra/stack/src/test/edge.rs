//! The edge, tried by other people's tools and by whoever would like to get past it.

use super::Shared;
use super::step::StepResult;
use super::whole_stack;

/// Runs the edge's tests, with every tool that they call.
pub(super) async fn test(shared: &mut Shared) -> anyhow::Result<StepResult> {
    whole_stack::run(shared, |name| name.starts_with("edge")).await
}
