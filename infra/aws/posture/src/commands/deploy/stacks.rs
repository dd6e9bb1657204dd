//! Descriptions of stacks.

use std::collections::BTreeMap;

use anyhow::bail;
use serde_json::Value;
use serde_json::json;

use super::aws::Aws;

/// Outputs by their names.
pub(super) type Outputs = BTreeMap<String, String>;

/// The description of a stack; none if the stack does not exist.
pub(super) fn describe(aws: &Aws, name: &str) -> anyhow::Result<Option<Value>> {
    let input = json!({ "StackName": name });
    match aws.try_call("cloudformation", "describe-stacks", &input)? {
        Ok(output) => Ok(output.pointer("/Stacks/0").cloned()),
        Err(refusal) if refusal.contains("does not exist") => Ok(None),
        Err(refusal) => bail!("{name} cannot be described: {refusal}"),
    }
}

/// The status of a stack, such as `CREATE_COMPLETE`.
pub(super) fn status(stack: &Value) -> &str {
    text(stack, "StackStatus")
}

/// The outputs of a stack; none if the stack does not exist.
pub(super) fn outputs(aws: &Aws, name: &str) -> anyhow::Result<Option<Outputs>> {
    let stack = describe(aws, name)?;
    // A stack with only a change set is not deployed.
    let stack = stack.filter(|stack| status(stack) != "REVIEW_IN_PROGRESS");
    Ok(stack.map(|stack| {
        let outputs = stack.get("Outputs").and_then(Value::as_array);
        let pair = |output: &Value| {
            let name = text(output, "OutputKey").to_owned();
            (name, text(output, "OutputValue").to_owned())
        };
        outputs.into_iter().flatten().map(pair).collect()
    }))
}

/// Enables termination protection.
pub(super) fn protect(aws: &Aws, name: &str) -> anyhow::Result<()> {
    let input = json!({ "StackName": name, "EnableTerminationProtection": true });
    aws.call("cloudformation", "update-termination-protection", &input)
        .map(|_| ())
}

/// A member that is text; empty if there is none.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
