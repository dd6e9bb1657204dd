//! Size limits of AWS that the linters do not check.
//!
//! Source: the services' pages of quotas: IAM (policies are counted without white space), KMS, S3,
//! EC2 (user data before Base64), `CloudFormation`.

use serde_json::Value;

use crate::architecture::Architecture;
use crate::architecture::Reference;
use crate::architecture::Resource;
use crate::templates::Templates;

/// Characters of a managed policy.
const MANAGED_POLICY: usize = 6_144;
/// Characters of all inline policies of a role together.
const INLINE_POLICIES: usize = 10_240;
/// Characters of a role's trust policy, unless raised.
const TRUST_POLICY: usize = 2_048;
/// Bytes of a key's policy.
const KEY_POLICY: usize = 32_768;
/// Bytes of a bucket's policy.
const BUCKET_POLICY: usize = 20_480;
/// Bytes of an instance's user data.
const USER_DATA: usize = 16_384;
/// Resources, parameters and outputs of one template.
const SECTIONS: [(&str, usize); 3] = [("Resources", 500), ("Parameters", 200), ("Outputs", 200)];
/// The assumed length of a name or ARN that is known only after a deployment, in characters.
const UNRESOLVED_LENGTH: usize = 64;

/// Everything that exceeds a limit, a sentence each.
#[must_use]
pub fn exceeded(templates: &Templates, architecture: &Architecture) -> Vec<String> {
    let mut found = Vec::new();
    for (name, template) in templates.iter() {
        for (section, limit) in SECTIONS {
            let size = template
                .get(section)
                .and_then(Value::as_object)
                .map_or(0, serde_json::Map::len);
            check_limit(
                &mut found,
                &format!("template {name}: {section}"),
                size,
                limit,
            );
        }
    }
    for resource in architecture.resources() {
        let (path, limit) = match resource.resource_type {
            "AWS::IAM::ManagedPolicy" => ("PolicyDocument", MANAGED_POLICY),
            "AWS::IAM::Role" => {
                let size = inline_policies_length(architecture, resource);
                check_limit(
                    &mut found,
                    &format!("{}: inline policies", resource.id),
                    size,
                    INLINE_POLICIES,
                );
                ("AssumeRolePolicyDocument", TRUST_POLICY)
            }
            "AWS::KMS::Key" | "AWS::KMS::ReplicaKey" => ("KeyPolicy", KEY_POLICY),
            "AWS::S3::BucketPolicy" => ("PolicyDocument", BUCKET_POLICY),
            "AWS::EC2::LaunchTemplate" => ("LaunchTemplateData/UserData", USER_DATA),
            _ => continue,
        };
        let size = resource.property(path).map_or(0, rendered_length);
        check_limit(&mut found, &format!("{}: {path}", resource.id), size, limit);
    }
    found
}

fn check_limit(found: &mut Vec<String>, what: &str, size: usize, limit: usize) {
    if size > limit {
        found.push(format!("{what} has the size {size}; AWS allows {limit}"));
    }
}

fn inline_policies_length(architecture: &Architecture, role: Resource<'_>) -> usize {
    let own = role.property("Policies").map_or(0, rendered_length);
    let attached = ["AWS::IAM::RolePolicy", "AWS::IAM::Policy"].map(|kind| {
        let policies = architecture
            .of_type(kind)
            .filter(|policy| is_attached_to(*policy, role.id));
        policies
            .filter_map(|policy| policy.property("PolicyDocument"))
            .map(rendered_length)
            .sum::<usize>()
    });
    own + attached.iter().sum::<usize>()
}

fn is_attached_to(policy: Resource<'_>, role: &str) -> bool {
    let names = |value: &Value| Reference::of(value) == Some(Reference::Ref(role));
    let one = policy.property("RoleName").is_some_and(names);
    let several = policy.property("Roles").and_then(Value::as_array);
    one || several.is_some_and(|roles| roles.iter().any(names))
}

/// The length of a value as JSON without white space, with an assumption for references.
fn rendered_length(value: &Value) -> usize {
    match value {
        Value::Object(object) if object.len() == 1 => match object.iter().next() {
            Some((name, Value::String(text))) if name == "Fn::Sub" => {
                text.len() + text.matches("${").count() * UNRESOLVED_LENGTH
            }
            Some((name, inner)) if name == "Fn::Base64" => rendered_length(inner),
            Some((name, _)) if name == "Ref" || name == "Fn::GetAtt" => UNRESOLVED_LENGTH,
            _ => members(object),
        },
        Value::Object(object) => members(object),
        Value::Array(items) => {
            2 + items
                .iter()
                .map(|item| rendered_length(item) + 1)
                .sum::<usize>()
        }
        Value::String(text) => text.len() + 2,
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string().len(),
    }
}

fn members(object: &serde_json::Map<String, Value>) -> usize {
    2 + object
        .iter()
        .map(|(name, value)| name.len() + rendered_length(value) + 4)
        .sum::<usize>()
}

#[cfg(test)]
mod tests {
    use serde_json::Map;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_role_is_measured_with_the_policies_that_other_resources_attach() {
        let long = "x".repeat(9_000);
        let policy = |id: &str| {
            (
                id.to_owned(),
                json!({"Type": "AWS::IAM::RolePolicy", "Properties": {"RoleName": {"Ref": "Role"}, "PolicyDocument": long}}),
            )
        };
        let role = (
            "Role".to_owned(),
            json!({"Type": "AWS::IAM::Role", "Properties": {}}),
        );
        let templates = Templates::default();
        let light = Architecture::new(Map::from_iter([role.clone(), policy("A")]));
        assert!(exceeded(&templates, &light).is_empty());
        let heavy = Architecture::new(Map::from_iter([role, policy("A"), policy("B")]));
        assert_eq!(
            exceeded(&templates, &heavy),
            ["Role: inline policies has the size 18004; AWS allows 10240"]
        );
    }
}
