//! CloudFormation's change sets.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::io::BufRead;
use std::io::IsTerminal;
use std::io::Write;
use std::process;
use std::thread;

use anyhow::Context;
use anyhow::bail;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;

use super::aws::Aws;
use super::resource_change;
use super::resource_change::ResourceChange;
use super::stacks;
use super::stacks::text;
use super::wait;
use super::wait::PAUSE;
use progress::Progress;

/// The template of a change set.
pub(super) enum Template {
    /// The text.
    Body(String),
    /// The URL of an S3 object.
    Url(String),
}

/// Parameters by their names. Without a value, the stack keeps its own.
pub(super) type Parameters = BTreeMap<String, Option<String>>;

/// A change set of a stack.
#[derive(Debug)]
pub(super) struct ChangeSet {
    stack: String,
    name: String,
    is_first: bool,
    changes: Vec<ResourceChange>,
}

impl ChangeSet {
    /// Creates a change set; none if there are no changes.
    pub(super) fn create(
        aws: &Aws,
        stack: &str,
        template: &Template,
        parameters: &Parameters,
        progress: Progress,
    ) -> anyhow::Result<Option<Self>> {
        let step = progress.step(&format!("computing the changes in {stack}"));
        let is_first = is_first(aws, stack)?;
        // CloudFormation cannot compute changes in nested stacks before the stack exists, because the outputs of one are
        // parameters of another. Sometimes it cannot for an existing stack either: then the change set lists the nested
        // stacks without their changes.
        let mut set = Self::begin(aws, stack, template, parameters, is_first, !is_first);
        if !is_first && !matches!(set, Ok(Some(_) | None)) {
            progress.say("CloudFormation cannot compute the changes in nested stacks in advance");
            set = Self::begin(aws, stack, template, parameters, is_first, false);
        }
        step.done();
        set
    }

    fn begin(
        aws: &Aws,
        stack: &str,
        template: &Template,
        parameters: &Parameters,
        is_first: bool,
        with_nested: bool,
    ) -> anyhow::Result<Option<Self>> {
        let mut input = request(stack, template, parameters, is_first);
        input.insert("IncludeNestedStacks".to_owned(), json!(with_nested));
        let digest = hex::encode(Sha256::digest(json!(input).to_string()));
        let name = format!(
            "deploy-{}-{}",
            digest.get(..12).unwrap_or(&digest),
            process::id()
        );
        input.insert("ChangeSetName".to_owned(), json!(name));
        aws.call("cloudformation", "create-change-set", &input.into())?;
        let mut set = Self {
            stack: stack.to_owned(),
            name,
            is_first,
            changes: Vec::new(),
        };
        loop {
            let described = set.described(aws)?;
            match text(&described, "Status") {
                "CREATE_COMPLETE" => {
                    set.changes = resource_change::listed(aws, "", &described)?;
                    return Ok(Some(set));
                }
                "FAILED" => {
                    let reason = text(&described, "StatusReason").to_owned();
                    set.discard(aws)?;
                    if says_nothing_changes(&reason) {
                        return Ok(None);
                    }
                    bail!("CloudFormation cannot compute the changes in {stack}: {reason}");
                }
                _ => thread::sleep(PAUSE),
            }
        }
    }

    fn described(&self, aws: &Aws) -> anyhow::Result<Value> {
        let input = json!({ "StackName": self.stack, "ChangeSetName": self.name });
        aws.call("cloudformation", "describe-change-set", &input)
    }

    /// Executes the change set, and waits for its end.
    pub(super) fn execute(&self, aws: &Aws, progress: Progress) -> anyhow::Result<()> {
        // A failed deployment deletes the resources that it created, so that the next one does not conflict with them.
        let input = json!({
            "StackName": self.stack,
            "ChangeSetName": self.name,
            "RetainExceptOnCreate": true,
        });
        let before = wait::events(aws, &self.stack)?;
        aws.call("cloudformation", "execute-change-set", &input)?;
        wait::until_changed(aws, &self.stack, &before, progress)
    }

    /// Deletes the change set, and the empty stack that CloudFormation created for it.
    pub(super) fn discard(&self, aws: &Aws) -> anyhow::Result<()> {
        let input = json!({ "StackName": self.stack, "ChangeSetName": self.name });
        aws.call("cloudformation", "delete-change-set", &input)?;
        if self.is_first {
            aws.call(
                "cloudformation",
                "delete-stack",
                &json!({ "StackName": self.stack }),
            )?;
        }
        Ok(())
    }

    /// The changes that lose data.
    fn losses(&self) -> impl Iterator<Item = &ResourceChange> {
        self.changes.iter().filter(|change| change.loses_data())
    }
}

impl fmt::Display for ChangeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for change in &self.changes {
            writeln!(f, "{change}")?;
        }
        writeln!(f, "{} changes in {}", self.changes.len(), self.stack)
    }
}

/// Asks for confirmation. Changes that lose data are confirmed even with `yes`.
pub(super) fn confirm(set: &ChangeSet, environment: &str, yes: bool) -> anyhow::Result<bool> {
    let losses = set.losses().count();
    if losses > 0 {
        let question = format!(
            "{losses} of these changes remove or replace resources with data (marked !). Type the name of the \
             environment to continue: "
        );
        return Ok(prompt(&question)? == environment);
    }
    if yes {
        return Ok(true);
    }
    Ok(matches!(
        prompt("Make these changes? [y/N] ")?.as_str(),
        "y" | "Y" | "yes"
    ))
}

fn prompt(question: &str) -> anyhow::Result<String> {
    if !io::stdin().is_terminal() {
        bail!("standard input is not a terminal, so the question cannot be answered: {question}");
    }
    print!("{question}");
    io::stdout()
        .flush()
        .context("the question cannot be shown")?;
    let mut answer = String::new();
    io::stdin()
        .lock()
        .read_line(&mut answer)
        .context("the answer cannot be read")?;
    Ok(answer.trim().to_owned())
}

/// Whether the stack does not exist yet.
fn is_first(aws: &Aws, stack: &str) -> anyhow::Result<bool> {
    let Some(described) = stacks::describe(aws, stack)? else {
        return Ok(true);
    };
    match stacks::status(&described) {
        "REVIEW_IN_PROGRESS" => Ok(true),
        "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" => bail!(
            "the first deployment of {stack} failed, and it cannot be updated: read its events, remove it with \
             `aws cloudformation delete-stack --stack-name {stack} --region {}`, and deploy again",
            aws.region
        ),
        "UPDATE_ROLLBACK_FAILED" => bail!(
            "{stack} is stuck between two states: run `aws cloudformation continue-update-rollback \
             --stack-name {stack} --region {}` first",
            aws.region
        ),
        status if status.ends_with("_IN_PROGRESS") => {
            bail!("{stack} has another deployment in progress ({status})")
        }
        _ => Ok(false),
    }
}

fn request(
    stack: &str,
    template: &Template,
    parameters: &Parameters,
    is_first: bool,
) -> Map<String, Value> {
    let parameters: Vec<Value> = parameters
        .iter()
        .map(|(name, value)| match value {
            Some(value) => json!({ "ParameterKey": name, "ParameterValue": value }),
            None => json!({ "ParameterKey": name, "UsePreviousValue": true }),
        })
        .collect();
    let kind = if is_first { "CREATE" } else { "UPDATE" };
    let (field, template) = match template {
        Template::Body(body) => ("TemplateBody", body),
        Template::Url(url) => ("TemplateURL", url),
    };
    let input = [
        ("StackName", json!(stack)),
        ("ChangeSetType", json!(kind)),
        (
            "Capabilities",
            json!(["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]),
        ),
        ("Parameters", json!(parameters)),
        (field, json!(template)),
    ];
    input
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
}

fn says_nothing_changes(reason: &str) -> bool {
    reason.contains("didn't contain changes") || reason.contains("No updates are to be performed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_without_a_value_keeps_the_one_that_the_stack_has() {
        let parameters = Parameters::from([
            ("A".to_owned(), Some("1".to_owned())),
            ("B".to_owned(), None),
        ]);
        let input = request("s", &Template::Url("u".to_owned()), &parameters, false);
        assert_eq!(input["Parameters"][0]["ParameterValue"], "1");
        assert_eq!(input["Parameters"][1]["UsePreviousValue"], true);
        assert_eq!(input["ChangeSetType"], "UPDATE");
    }
}
