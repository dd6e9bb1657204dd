//! The machines that change over to a release: one migrates the database, then those of the tiers are
//! replaced, the new ones first.

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

/// So often it is asked whether the machine is gone: for an hour and a half, and the machine switches
/// itself off after one in any case.
const QUESTIONS: u32 = 1080;

/// How `migrate` ends its work in the log.
const MIGRATED: &str = "migrate: done";

/// Starts the machine that migrates the database, and waits until it has switched itself off.
///
/// # Errors
/// When its log does not say that the migration was done: the tiers then stay as they are.
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
    let instance = instance.context("AWS does not say which machine it started")?;
    wait_for_end(aws, instance)?;
    let lines = log_lines(aws, log, instance)?;
    if !lines.iter().any(|line| line.contains(MIGRATED)) {
        bail!(
            "the machine {instance} does not say that it migrated the database, so the tiers stay on \
             the release that they have. Its log in {log}:\n{}",
            lines.join("\n")
        );
    }
    step.done();
    Ok(())
}

fn wait_for_end(aws: &Aws, instance: &str) -> anyhow::Result<()> {
    let input = json!({ "InstanceIds": [instance] });
    for _ in 0..QUESTIONS {
        // A machine that was just started may not be known yet.
        let answer = aws
            .ask("ec2", "describe-instances", &input)?
            .unwrap_or_default();
        let state = answer.pointer("/Reservations/0/Instances/0/State/Name");
        if matches!(
            state.and_then(Value::as_str),
            Some("terminated" | "stopped")
        ) {
            return Ok(());
        }
        thread::sleep(PAUSE);
    }
    bail!("the machine {instance}, which migrates the database, does not end: look at it")
}

fn log_lines(aws: &Aws, group: &str, stream: &str) -> anyhow::Result<Vec<String>> {
    let input = json!({ "logGroupName": group, "logStreamNames": [stream] });
    let answer = aws
        .ask("logs", "filter-log-events", &input)?
        .unwrap_or_default();
    let events = answer.get("events").and_then(Value::as_array);
    let lines = events.into_iter().flatten();
    Ok(lines
        .map(|event| text(event, "message").to_owned())
        .collect())
}

/// Replaces the machines of app and then of web, as many new ones first as there are.
///
/// # Errors
/// When new machines do not come to serve: the old ones then stay.
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
    // The group's own launch template is the release; machines that have it already stay.
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
    let answer = aws.call("autoscaling", "start-instance-refresh", &input)?;
    let id = answer.get("InstanceRefreshId").and_then(Value::as_str);
    Ok(id.map(ToOwned::to_owned))
}

fn follow(aws: &Aws, group: &str, id: &str, progress: Progress) -> anyhow::Result<()> {
    let input = json!({ "AutoScalingGroupName": group, "InstanceRefreshIds": [id] });
    let mut percentage = None;
    loop {
        let answer = aws.call("autoscaling", "describe-instance-refreshes", &input)?;
        let refresh = answer
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
