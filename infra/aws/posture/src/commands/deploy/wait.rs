//! Waits for the end of a deployment, and reports its progress.

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

/// The interval between two polls.
pub(super) const PAUSE: Duration = Duration::from_secs(5);

/// Ids of events.
pub(super) type EventIds = BTreeSet<String>;

/// The ids of all events of a stack.
pub(super) fn events(aws: &Aws, stack: &str) -> anyhow::Result<EventIds> {
    let events = listed(aws, stack)?;
    Ok(events
        .iter()
        .map(|event| text(event, "EventId").to_owned())
        .collect())
}

/// Waits until the stack has changed.
///
/// # Errors
/// When the change failed: with the failed resources, the first cause first.
pub(super) fn until_changed(
    aws: &Aws,
    stack: &str,
    before: &EventIds,
    progress: Progress,
) -> anyhow::Result<()> {
    let step = progress.step(&format!("changing {stack}"));
    let mut known = before.clone();
    loop {
        for event in listed(aws, stack)?.iter().rev() {
            if known.insert(text(event, "EventId").to_owned()) {
                report(event, progress);
            }
        }
        let described = stacks::describe(aws, stack)?.unwrap_or_default();
        match stacks::status(&described) {
            // Without a new event, the status is that of the previous change.
            _ if known.len() == before.len() => thread::sleep(PAUSE),
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" => {
                step.done();
                return Ok(());
            }
            // Old resources are being deleted; the new ones exist.
            "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS" => thread::sleep(PAUSE),
            status if status.ends_with("_IN_PROGRESS") => thread::sleep(PAUSE),
            status => {
                let failures = failures(aws, stack, before)?.join("\n");
                bail!("{stack} ended as {status}:\n{failures}");
            }
        }
    }
}

/// Reports the end of a change; beginnings are not reported.
fn report(event: &Value, progress: Progress) {
    let status = text(event, "ResourceStatus");
    if !status.ends_with("_IN_PROGRESS") {
        let (id, reason) = (
            text(event, "LogicalResourceId"),
            text(event, "ResourceStatusReason"),
        );
        progress.say(&format!("{id}: {status} {reason}"));
    }
}

/// The failures since `before`, in the stack and its nested stacks.
fn failures(aws: &Aws, stack: &str, before: &EventIds) -> anyhow::Result<Vec<String>> {
    let mut failures = Vec::new();
    for event in listed(aws, stack)?.iter().rev() {
        let is_new = !before.contains(text(event, "EventId"));
        let reason = text(event, "ResourceStatusReason");
        // A change that CloudFormation cancelled because of another failure is not a cause.
        let is_cause =
            text(event, "ResourceStatus").ends_with("_FAILED") && !reason.contains("cancelled");
        if !is_new || !is_cause {
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

/// The events of a stack, the latest first; empty if the stack does not exist.
fn listed(aws: &Aws, stack: &str) -> anyhow::Result<Vec<Value>> {
    let input = json!({ "StackName": stack });
    let output = aws.try_call("cloudformation", "describe-stack-events", &input)?;
    let events = output.unwrap_or_default();
    let events = events.get("StackEvents").and_then(Value::as_array);
    Ok(events.cloned().unwrap_or_default())
}
