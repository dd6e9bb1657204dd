//! Waiting until a stack has changed, and saying what happens meanwhile.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use anyhow::bail;
use serde_json::Value;
use serde_json::json;

use super::aws::Aws;
use super::stacks;
use super::stacks::text;
use progress::Progress;

/// Between two questions to AWS.
pub(super) const PAUSE: Duration = Duration::from_secs(5);

/// Ids of events.
pub(super) type Known = BTreeSet<String>;

/// The events that a stack had.
pub(super) fn events(aws: &Aws, stack: &str) -> anyhow::Result<Known> {
    let events = listed(aws, stack)?;
    Ok(events
        .iter()
        .map(|event| text(event, "EventId").to_owned())
        .collect())
}

/// Waits until nothing changes any more.
///
/// # Errors
/// When it did not end well: with what failed, first things first.
pub(super) fn until_changed(
    aws: &Aws,
    stack: &str,
    before: &Known,
    progress: Progress,
) -> anyhow::Result<()> {
    let step = progress.step(&format!("changing {stack}"));
    let mut known = before.clone();
    loop {
        for event in listed(aws, stack)?.iter().rev() {
            if known.insert(text(event, "EventId").to_owned()) {
                tell(event, progress);
            }
        }
        let described = stacks::describe(aws, stack)?.unwrap_or_default();
        match stacks::status(&described) {
            // What it says is still about the last time.
            _ if known.len() == before.len() => thread::sleep(PAUSE),
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" => {
                step.done();
                return Ok(());
            }
            // Old resources are being removed; the new ones are there.
            "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS" => thread::sleep(PAUSE),
            status if status.ends_with("_IN_PROGRESS") => thread::sleep(PAUSE),
            status => {
                let failures = failures(aws, stack, before)?.join("\n");
                bail!("{stack} ended as {status}:\n{failures}");
            }
        }
    }
}

/// Says what ended; what only begins is not worth a line.
fn tell(event: &Value, progress: Progress) {
    let status = text(event, "ResourceStatus");
    if !status.ends_with("_IN_PROGRESS") {
        let (id, reason) = (
            text(event, "LogicalResourceId"),
            text(event, "ResourceStatusReason"),
        );
        progress.say(&format!("{id}: {status} {reason}"));
    }
}

/// What failed since, in the stack and in those that it nests.
fn failures(aws: &Aws, stack: &str, before: &Known) -> anyhow::Result<Vec<String>> {
    let mut failures = Vec::new();
    for event in listed(aws, stack)?.iter().rev() {
        let is_new = !before.contains(text(event, "EventId"));
        let reason = text(event, "ResourceStatusReason");
        // What was cancelled because something else failed explains nothing.
        let explains =
            text(event, "ResourceStatus").ends_with("_FAILED") && !reason.contains("cancelled");
        if !is_new || !explains {
            continue;
        }
        let nested = text(event, "PhysicalResourceId");
        let is_nested = text(event, "ResourceType") == "AWS::CloudFormation::Stack";
        if is_nested && !nested.is_empty() && nested != text(event, "StackId") {
            failures.extend(self::failures(aws, nested, before)?);
        } else {
            failures.push(format!(
                "{}/{}: {reason}",
                text(event, "StackName"),
                text(event, "LogicalResourceId")
            ));
        }
    }
    Ok(failures)
}

/// A stack's events, the latest first; none if there is no such stack.
fn listed(aws: &Aws, stack: &str) -> anyhow::Result<Vec<Value>> {
    let input = json!({ "StackName": stack });
    let answer = aws.ask("cloudformation", "describe-stack-events", &input)?;
    let events = answer.unwrap_or_default();
    let events = events.get("StackEvents").and_then(Value::as_array);
    Ok(events.cloned().unwrap_or_default())
}
