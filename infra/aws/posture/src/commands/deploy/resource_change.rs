//! A change of a resource.

use std::fmt;

use serde_json::Value;
use serde_json::json;

use super::aws::Aws;
use super::stacks::text;

/// The resource types whose replacement or removal loses data.
const STATEFUL: [&str; 9] = [
    "AWS::Backup::BackupVault",
    "AWS::CloudTrail::Trail",
    "AWS::EC2::VPC",
    "AWS::KMS::Key",
    "AWS::KMS::ReplicaKey",
    "AWS::Logs::LogGroup",
    "AWS::RDS::DBInstance",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
];

/// A change of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ResourceChange {
    /// The logical id, with those of the nested stacks before it.
    id: String,
    resource_type: String,
    /// `Add`, `Modify`, `Remove`, …
    action: String,
    /// `True`, `False`, `Conditional` or empty.
    replacement: String,
}

impl ResourceChange {
    /// Whether the change loses data.
    pub(super) fn loses_data(&self) -> bool {
        let is_removed =
            self.action == "Remove" || matches!(self.replacement.as_str(), "True" | "Conditional");
        is_removed && STATEFUL.contains(&self.resource_type.as_str())
    }
}

impl fmt::Display for ResourceChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            resource_type,
            action,
            replacement,
        } = self;
        let how = match replacement.as_str() {
            "True" => ", replaced",
            "Conditional" => ", possibly replaced",
            _ => "",
        };
        let mark = if self.loses_data() { "!" } else { " " };
        write!(f, "{mark} {action:<7} {id} ({resource_type}){how}")
    }
}

/// The changes of a change set, with those of nested stacks.
pub(super) fn listed(
    aws: &Aws,
    within: &str,
    described: &Value,
) -> anyhow::Result<Vec<ResourceChange>> {
    let mut all = Vec::new();
    let members = described.get("Changes").and_then(Value::as_array);
    for change in members.into_iter().flatten() {
        let Some(change) = change.get("ResourceChange") else {
            continue;
        };
        let id = format!("{within}{}", text(change, "LogicalResourceId"));
        all.push(ResourceChange {
            id: id.clone(),
            resource_type: text(change, "ResourceType").to_owned(),
            action: text(change, "Action").to_owned(),
            replacement: text(change, "Replacement").to_owned(),
        });
        let nested = text(change, "ChangeSetId");
        if !nested.is_empty() {
            let input = json!({ "ChangeSetName": nested });
            let nested = aws.call("cloudformation", "describe-change-set", &input)?;
            all.extend(listed(aws, &format!("{id}/"), &nested)?);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(resource_type: &str, action: &str, replacement: &str) -> ResourceChange {
        ResourceChange {
            id: "Database/Instance".to_owned(),
            resource_type: resource_type.to_owned(),
            action: action.to_owned(),
            replacement: replacement.to_owned(),
        }
    }

    #[test]
    fn the_removal_of_a_stateful_resource_loses_data() {
        assert!(change("AWS::RDS::DBInstance", "Modify", "True").loses_data());
        assert!(change("AWS::RDS::DBInstance", "Modify", "Conditional").loses_data());
        assert!(change("AWS::KMS::Key", "Remove", "").loses_data());
        assert!(!change("AWS::RDS::DBInstance", "Modify", "False").loses_data());
        assert!(!change("AWS::EC2::LaunchTemplate", "Remove", "").loses_data());
    }
}
