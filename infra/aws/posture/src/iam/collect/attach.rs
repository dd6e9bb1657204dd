//! Policies that are resources of their own, and policies in properties that this module does not read.

use serde_json::Value;

use super::Collector;
use super::Kind;
use super::document::contains_policy;
use super::document::list;
use crate::architecture::Resource;
use crate::iam::names::label;

impl Collector<'_> {
    /// Collects a policy that is a resource of its own.
    pub(super) fn attached(&mut self, resource: Resource<'_>) {
        let document = |name: &str| resource.property(name).cloned().unwrap_or(Value::Null);
        match resource.resource_type {
            "AWS::IAM::RolePolicy" | "AWS::IAM::Policy" => {
                let one = list(resource.property("RoleName"));
                let roles = [one, list(resource.property("Roles"))].concat();
                self.give_roles(resource, &roles, &document("PolicyDocument"));
            }
            "AWS::IAM::ManagedPolicy" => {
                let index = self
                    .names
                    .arn(resource)
                    .and_then(|arn| self.managed.get(&arn).copied());
                for role in list(resource.property("Roles")) {
                    self.give_role(resource, role, index);
                }
            }
            "AWS::S3::BucketPolicy" => {
                let index = self.read(
                    &label(resource),
                    &document("PolicyDocument"),
                    Kind::Resource,
                );
                self.give_object(resource, resource.property("Bucket"), index);
            }
            "AWS::SecretsManager::ResourcePolicy" => {
                let index = self.read(
                    &label(resource),
                    &document("ResourcePolicy"),
                    Kind::Resource,
                );
                self.give_object(resource, resource.property("SecretId"), index);
            }
            "AWS::SNS::TopicPolicy" => {
                let index = self.read(
                    &label(resource),
                    &document("PolicyDocument"),
                    Kind::Resource,
                );
                for topic in list(resource.property("Topics")) {
                    self.give_object(resource, Some(topic), index);
                }
            }
            "AWS::Organizations::Policy" => {
                let index = self.read(&label(resource), &document("Content"), Kind::Organization);
                self.found.organization.extend(index);
            }
            "AWS::IAM::User"
            | "AWS::IAM::Group"
            | "AWS::IAM::UserPolicy"
            | "AWS::IAM::GroupPolicy" => {
                let fault = format!(
                    "{}: users and groups are not supported: use roles",
                    label(resource)
                );
                self.found.errors.push(fault);
            }
            _ => {}
        }
    }

    fn give_roles(&mut self, resource: Resource<'_>, roles: &[&Value], document: &Value) {
        let index = self.read(&label(resource), document, Kind::Identity);
        if roles.is_empty() {
            self.found
                .errors
                .push(format!("{} is attached to no role", label(resource)));
        }
        for role in roles {
            self.give_role(resource, role, index);
        }
    }

    fn give_role(&mut self, resource: Resource<'_>, role: &Value, policy: Option<usize>) {
        let name = self.names.text(role).unwrap_or_default();
        let ending = format!("/{name}");
        let account = resource.account();
        let mut roles = self.found.roles.values_mut();
        if let Some(role) =
            roles.find(|role| role.account == account && role.arn.ends_with(&ending))
        {
            role.identity.extend(policy);
        } else {
            let fault = format!("{}: there is no role {role}", label(resource));
            self.found.errors.push(fault);
        }
    }

    fn give_object(
        &mut self,
        resource: Resource<'_>,
        target: Option<&Value>,
        policy: Option<usize>,
    ) {
        let name = target
            .and_then(|target| self.names.text(target).ok())
            .unwrap_or_default();
        let bucket = format!("arn:aws:s3:::{name}");
        let mut objects = self.found.objects.values_mut();
        match objects.find(|object| object.arn == name || object.arn == bucket) {
            Some(object) if object.policy.is_none() => object.policy = policy,
            Some(_) | None => {
                let fault = format!(
                    "{}: the resource it is attached to does not exist, or has a policy already",
                    label(resource)
                );
                self.found.errors.push(fault);
            }
        }
    }

    /// Collects the policies for all log groups of an account. They are JSON as text.
    pub(super) fn account_policies(&mut self) {
        for resource in self.architecture.of_type("AWS::Logs::ResourcePolicy") {
            let text = resource
                .property("PolicyDocument")
                .map(|text| self.names.text(text));
            let document = text
                .and_then(Result::ok)
                .and_then(|text| serde_json::from_str(&text).ok());
            let document = document.unwrap_or(Value::Null);
            let Some(index) = self.read(&label(resource), &document, Kind::Resource) else {
                continue;
            };
            for object in self.found.objects.values_mut() {
                let same =
                    object.account == resource.account() && object.region == resource.region();
                if same && object.resource_type == "AWS::Logs::LogGroup" {
                    object.policy = Some(index);
                }
            }
        }
    }

    /// Records an error for each policy in a property that nothing above reads.
    pub(super) fn unread_policies(&mut self) {
        const READ: [(&str, &[&str]); 16] = [
            ("AWS::Backup::BackupVault", &["AccessPolicy"]),
            ("AWS::EC2::VPCEndpoint", &["PolicyDocument"]),
            ("AWS::IAM::ManagedPolicy", &["PolicyDocument"]),
            ("AWS::IAM::Policy", &["PolicyDocument"]),
            ("AWS::IAM::Role", &["AssumeRolePolicyDocument", "Policies"]),
            ("AWS::IAM::RolePolicy", &["PolicyDocument"]),
            ("AWS::KMS::Key", &["KeyPolicy"]),
            ("AWS::KMS::ReplicaKey", &["KeyPolicy"]),
            // Masks data; does not decide about access.
            ("AWS::Logs::LogGroup", &["DataProtectionPolicy"]),
            ("AWS::Logs::ResourcePolicy", &["PolicyDocument"]),
            ("AWS::Organizations::Policy", &["Content"]),
            ("AWS::S3::BucketPolicy", &["PolicyDocument"]),
            ("AWS::SNS::TopicPolicy", &["PolicyDocument"]),
            ("AWS::SecretsManager::ResourcePolicy", &["ResourcePolicy"]),
            // Its statements are rules of a firewall.
            ("AWS::WAFv2::WebACL", &["Rules"]),
            // An automation runs with the permissions of the role that it names.
            ("AWS::SSM::Document", &["Content"]),
        ];
        for resource in self.architecture.resources() {
            let read = READ
                .iter()
                .find(|(kind, _)| *kind == resource.resource_type);
            let read = read.map_or(&[][..], |(_, names)| names);
            let properties = resource
                .definition
                .get("Properties")
                .and_then(Value::as_object);
            let mut others = properties
                .into_iter()
                .flatten()
                .filter(|(name, _)| !read.contains(&name.as_str()));
            if let Some((name, _)) = others.find(|(_, value)| contains_policy(value)) {
                let fault = format!("{}: nothing reads the policy in {name}", label(resource));
                self.found.errors.push(fault);
            }
        }
    }
}
