//! The machines of a release: one migrates the database, then instance refreshes replace those of the tiers.

use std::thread;

use anyhow::Context;
use anyhow::bail;
use serde_json::Value;
use serde_json::json;

use super::aws::Aws;
use super::stacks::Outputs;
use super::stacks::text;
use super::wait::PAUSE;
use progress::Progress;

/// The number of polls for the end of the migration machine: an hour and a half. The machine shuts down after an hour in
/// any case.
const POLLS: u32 = 1080;

/// The last line that `migrate` logs on success.
const MIGRATED: &str = "migrate: done";

/// Starts the machine that migrates the database, and waits until it shuts down.
///
/// # Errors
/// When its log does not contain the line of success: the tiers then keep their release.
pub(super) fn migrate(
    aws: &Aws,
    outputs: &Outputs,
    log: &str,
    progress: Progress,
) -> anyhow::Result<()> {
    let template = output(outputs, "MigrationLaunchTemplateId")?;
    let step = progress.step("migrating the database");
    let input = json!({
        "LaunchTemplate": { "LaunchTemplateId": template, "Version": "$Latest" },
        "MinCount": 1,
        "MaxCount": 1,
    });
    let started = aws.call("ec2", "run-instances", &input)?;
    let instance = started
        .pointer("/Instances/0/InstanceId")
        .and_then(Value::as_str);
    let instance = instance.context("AWS returned no instance id")?;
    wait_for_end(aws, instance)?;
    let lines = log_lines(aws, log, instance)?;
    if !lines.iter().any(|line| line.contains(MIGRATED)) {
        bail!(
            "the migration on the machine {instance} did not succeed, so the tiers keep their release. Its \
             log in {log}:\n{}",
            lines.join("\n")
        );
    }
    step.done();
    Ok(())
}

fn wait_for_end(aws: &Aws, instance: &str) -> anyhow::Result<()> {
    let input = json!({ "InstanceIds": [instance] });
    for _ in 0..POLLS {
        // EC2 may not know a new instance yet.
        let output = aws
            .try_call("ec2", "describe-instances", &input)?
            .unwrap_or_default();
        let state = output.pointer("/Reservations/0/Instances/0/State/Name");
        if matches!(
            state.and_then(Value::as_str),
            Some("terminated" | "stopped")
        ) {
            return Ok(());
        }
        thread::sleep(PAUSE);
    }
    bail!("the migration machine {instance} did not shut down: read its log")
}

fn log_lines(aws: &Aws, group: &str, stream: &str) -> anyhow::Result<Vec<String>> {
    let input = json!({ "logGroupName": group, "logStreamNames": [stream] });
    let output = aws
        .try_call("logs", "filter-log-events", &input)?
        .unwrap_or_default();
    let events = output.get("events").and_then(Value::as_array);
    let lines = events.into_iter().flatten();
    Ok(lines
        .map(|event| text(event, "message").to_owned())
        .collect())
}

/// Replaces the machines of app, then those of web. New machines start before old ones stop.
///
/// # Errors
/// When new machines do not become healthy: the old ones then stay.
pub(super) fn refresh(aws: &Aws, outputs: &Outputs, progress: Progress) -> anyhow::Result<()> {
    for name in ["AppAutoScalingGroupName", "WebAutoScalingGroupName"] {
        let group = output(outputs, name)?;
        let step = progress.step(&format!("replacing the machines of {group}"));
        let id = begin(aws, group)?;
        if let Some(id) = id {
            follow(aws, group, &id, progress)?;
        }
        step.done();
    }
    Ok(())
}

fn begin(aws: &Aws, group: &str) -> anyhow::Result<Option<String>> {
    // The launch template names the release; machines that already run its version stay.
    let input = json!({
        "AutoScalingGroupName": group,
        "Strategy": "Rolling",
        "Preferences": {
            "MinHealthyPercentage": 100,
            "MaxHealthyPercentage": 200,
            "SkipMatching": true,
            "ScaleInProtectedInstances": "Refresh",
            "StandbyInstances": "Terminate",
        },
    });
    let output = aws.call("autoscaling", "start-instance-refresh", &input)?;
    let id = output.get("InstanceRefreshId").and_then(Value::as_str);
    Ok(id.map(ToOwned::to_owned))
}

fn follow(aws: &Aws, group: &str, id: &str, progress: Progress) -> anyhow::Result<()> {
    let input = json!({ "AutoScalingGroupName": group, "InstanceRefreshIds": [id] });
    let mut percentage = None;
    loop {
        let output = aws.call("autoscaling", "describe-instance-refreshes", &input)?;
        let refresh = output
            .pointer("/InstanceRefreshes/0")
            .cloned()
            .unwrap_or_default();
        let now = refresh.get("PercentageComplete").and_then(Value::as_u64);
        if now != percentage {
            percentage = now;
            progress.say(&format!("{group}: {} %", now.unwrap_or_default()));
        }
        match text(&refresh, "Status") {
            "Successful" => return Ok(()),
            "Pending" | "InProgress" | "Baking" => thread::sleep(PAUSE),
            status => bail!(
                "the machines of {group} were not all replaced ({status}): {}",
                text(&refresh, "StatusReason")
            ),
        }
    }
}

fn output<'a>(outputs: &'a Outputs, name: &str) -> anyhow::Result<&'a str> {
    let value = outputs.get(name).map(String::as_str);
    value.with_context(|| format!("the stack has no output {name}"))
}
