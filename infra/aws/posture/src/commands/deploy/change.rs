//! A change of one resource, and what it loses.

use std::fmt;

use serde_json::Value;
use serde_json::json;

use super::aws::Aws;
use super::stacks::text;

/// Whose replacement or removal loses something that nobody can bring back, or only from a backup.
const PRECIOUS: [&str; 9] = [
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

/// A change of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Its logical id, after those of the stacks around it.
    id: String,
    kind: String,
    /// `Add`, `Modify`, `Remove`, …
    action: String,
    /// `True`, `False`, `Conditional` or nothing.
    replacement: String,
}

impl Change {
    /// Whether it loses data.
    pub(super) fn loses(&self) -> bool {
        let goes =
            self.action == "Remove" || matches!(self.replacement.as_str(), "True" | "Conditional");
        goes && PRECIOUS.contains(&self.kind.as_str())
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            kind,
            action,
            replacement,
        } = self;
        let how = match replacement.as_str() {
            "True" => ", by another one",
            "Conditional" => ", perhaps by another one",
            _ => "",
        };
        let mark = if self.loses() { "!" } else { " " };
        write!(f, "{mark} {action:<7} {id} ({kind}){how}")
    }
}

/// The changes of a change set, and of those of nested stacks.
pub(super) fn listed(aws: &Aws, within: &str, described: &Value) -> anyhow::Result<Vec<Change>> {
    let mut all = Vec::new();
    let members = described.get("Changes").and_then(Value::as_array);
    for change in members.into_iter().flatten() {
        let Some(change) = change.get("ResourceChange") else {
            continue;
        };
        let id = format!("{within}{}", text(change, "LogicalResourceId"));
        all.push(Change {
            id: id.clone(),
            kind: text(change, "ResourceType").to_owned(),
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

    fn change(kind: &str, action: &str, replacement: &str) -> Change {
        Change {
            id: "Database/Instance".to_owned(),
            kind: kind.to_owned(),
            action: action.to_owned(),
            replacement: replacement.to_owned(),
        }
    }

    #[test]
    fn what_loses_data_is_marked() {
        assert!(change("AWS::RDS::DBInstance", "Modify", "True").loses());
        assert!(change("AWS::RDS::DBInstance", "Modify", "Conditional").loses());
        assert!(change("AWS::KMS::Key", "Remove", "").loses());
        assert!(!change("AWS::RDS::DBInstance", "Modify", "False").loses());
        assert!(!change("AWS::EC2::LaunchTemplate", "Remove", "").loses());
    }
}
