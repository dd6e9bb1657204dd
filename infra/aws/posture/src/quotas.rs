//! Sizes beyond which AWS refuses a deployment, and of which the linters know little.
//!
//! From the services' own pages of quotas: IAM (policies are counted without white space), KMS, S3,
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
/// What a name or an ARN that is only known after a deployment may add to each of its mentions.
const UNKNOWN: usize = 64;

/// Everything that is too large, each in a sentence.
#[must_use]
pub fn exceeded(templates: &Templates, architecture: &Architecture) -> Vec<String> {
    let mut found = Vec::new();
    for (name, template) in templates.iter() {
        for (section, most) in SECTIONS {
            let size = template
                .get(section)
                .and_then(Value::as_object)
                .map_or(0, serde_json::Map::len);
            weigh(
                &mut found,
                &format!("template {name}: {section}"),
                size,
                most,
            );
        }
    }
    for resource in architecture.resources() {
        let (path, most) = match resource.kind {
            "AWS::IAM::ManagedPolicy" => ("PolicyDocument", MANAGED_POLICY),
            "AWS::IAM::Role" => {
                let size = inline(architecture, resource);
                weigh(
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
        let size = resource.property(path).map_or(0, size);
        weigh(&mut found, &format!("{}: {path}", resource.id), size, most);
    }
    found
}

fn weigh(found: &mut Vec<String>, what: &str, size: usize, most: usize) {
    if size > most {
        found.push(format!(
            "{what} comes to {size}, of which AWS allows {most}"
        ));
    }
}

fn inline(architecture: &Architecture, role: Resource<'_>) -> usize {
    let own = role.property("Policies").map_or(0, size);
    let attached = ["AWS::IAM::RolePolicy", "AWS::IAM::Policy"].map(|kind| {
        let policies = architecture
            .of_kind(kind)
            .filter(|policy| is_of(*policy, role.id));
        policies
            .filter_map(|policy| policy.property("PolicyDocument"))
            .map(size)
            .sum::<usize>()
    });
    own + attached.iter().sum::<usize>()
}

fn is_of(policy: Resource<'_>, role: &str) -> bool {
    let names = |value: &Value| Reference::of(value) == Some(Reference::To(role));
    let one = policy.property("RoleName").is_some_and(names);
    let several = policy.property("Roles").and_then(Value::as_array);
    one || several.is_some_and(|roles| roles.iter().any(names))
}

/// Characters that count, with a guess at what is only known after a deployment.
fn size(value: &Value) -> usize {
    match value {
        Value::Object(object) if object.len() == 1 => match object.iter().next() {
            Some((name, Value::String(text))) if name == "Fn::Sub" => {
                text.len() + text.matches("${").count() * UNKNOWN
            }
            Some((name, inner)) if name == "Fn::Base64" => size(inner),
            Some((name, _)) if name == "Ref" || name == "Fn::GetAtt" => UNKNOWN,
            _ => members(object),
        },
        Value::Object(object) => members(object),
        Value::Array(items) => 2 + items.iter().map(|item| size(item) + 1).sum::<usize>(),
        Value::String(text) => text.len() + 2,
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string().len(),
    }
}

fn members(object: &serde_json::Map<String, Value>) -> usize {
    2 + object
        .iter()
        .map(|(name, value)| name.len() + size(value) + 4)
        .sum::<usize>()
}

#[cfg(test)]
mod tests {
    use serde_json::Map;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_role_is_weighed_with_the_policies_that_others_attach_to_it() {
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
        let light = Architecture::of(Map::from_iter([role.clone(), policy("A")]));
        assert!(exceeded(&templates, &light).is_empty());
        let heavy = Architecture::of(Map::from_iter([role, policy("A"), policy("B")]));
        assert_eq!(
            exceeded(&templates, &heavy),
            ["Role: inline policies comes to 18004, of which AWS allows 10240"]
        );
    }
}
