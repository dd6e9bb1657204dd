//! The policies of an architecture, and the roles and resources that they are attached to.

mod attach;
mod document;

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::json;

use self::document::list;
use self::document::normalized;
use super::names::Names;
use super::names::label;
use crate::architecture::Architecture;
use crate::architecture::Resource;

/// A policy.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    /// Where it is declared: `identity/AppRole`.
    pub(super) label: String,
    pub(super) kind: Kind,
    pub(super) document: Value,
}

/// What a policy is attached to. The validation depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Identity,
    Trust,
    Resource,
    Endpoint,
    Organization,
}

/// A role with its policies.
#[derive(Clone, Debug, Default)]
pub(super) struct Role {
    pub(super) arn: String,
    pub(super) account: String,
    /// Indices into [`Collected::policies`], as are the next two.
    pub(super) identity: Vec<usize>,
    pub(super) boundary: Option<usize>,
    pub(super) trust: Option<usize>,
}

/// A resource with an ARN.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) resource_type: String,
    pub(super) arn: String,
    pub(super) account: String,
    pub(super) region: String,
    pub(super) policy: Option<usize>,
    pub(super) tags: BTreeMap<String, String>,
}

/// Everything that decides about access, by its label: `stack/LogicalId`.
#[derive(Clone, Debug, Default)]
pub(super) struct Collected {
    pub(super) policies: Vec<Policy>,
    pub(super) roles: BTreeMap<String, Role>,
    pub(super) objects: BTreeMap<String, Object>,
    pub(super) endpoints: BTreeMap<String, usize>,
    /// The service control policies of the organization.
    pub(super) organization: Vec<usize>,
    /// What could not be read. Any entry fails the rule that every policy is understood.
    pub(super) errors: Vec<String>,
}

impl Collected {
    pub(super) fn from(architecture: &Architecture, given: &BTreeMap<String, String>) -> Self {
        let mut collector = Collector {
            names: Names::new(architecture, given),
            architecture,
            found: Self::default(),
            managed: BTreeMap::new(),
        };
        // Managed policies before the roles that name them, and resources before the policies attached to them.
        architecture
            .resources()
            .for_each(|resource| collector.object_of(resource));
        architecture
            .resources()
            .for_each(|resource| collector.role(resource));
        architecture
            .resources()
            .for_each(|resource| collector.attached(resource));
        collector.account_policies();
        collector.unread_policies();
        collector.found
    }
}

impl Collected {
    /// Adds a PHI key that a later rotation creates, with a key policy that leaves access to IAM: permissions boundaries
    /// alone must protect it.
    pub(super) fn add_later_key(&mut self) {
        let Some(first) = self.objects.get("keys/PhiKey") else {
            return;
        };
        let label = "keys/LaterPhiKey".to_owned();
        let root = format!("arn:aws:iam::{}:root", first.account);
        let document = json!({"Version": "2012-10-17", "Statement": [{
            "Sid": "LeftToIam", "Effect": "Allow", "Principal": {"AWS": root},
            "Action": "kms:*", "Resource": "*"}]});
        let id = "00000000-0000-4000-8000-000000000001";
        let arn = format!("arn:aws:kms:{}:{}:key/{id}", first.region, first.account);
        let policy = Some(self.policies.len());
        let later = Object {
            arn,
            policy,
            ..first.clone()
        };
        self.objects.insert(label.clone(), later);
        self.policies.push(Policy {
            label,
            kind: Kind::Resource,
            document,
        });
    }
}

impl Kind {
    /// Its name in a query.
    pub(super) fn simulator_name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Trust => "trust",
            Self::Endpoint => "endpoint",
            Self::Organization => "organization",
            Self::Resource => "resource",
        }
    }
}

struct Collector<'a> {
    names: Names<'a>,
    architecture: &'a Architecture,
    found: Collected,
    /// Managed policies by their ARN.
    managed: BTreeMap<String, usize>,
}

impl Collector<'_> {
    /// Collects a resource with an ARN, and the policy among its own properties.
    fn object_of(&mut self, resource: Resource<'_>) {
        let own = match resource.resource_type {
            "AWS::KMS::Key" | "AWS::KMS::ReplicaKey" => {
                self.policy(resource, "KeyPolicy", Kind::Resource)
            }
            "AWS::Backup::BackupVault" => self.policy(resource, "AccessPolicy", Kind::Resource),
            "AWS::IAM::Role" => self.policy(resource, "AssumeRolePolicyDocument", Kind::Trust),
            "AWS::IAM::ManagedPolicy" => self.policy(resource, "PolicyDocument", Kind::Identity),
            "AWS::EC2::VPCEndpoint" => self.policy(resource, "PolicyDocument", Kind::Endpoint),
            _ => None,
        };
        let Some(arn) = self.names.arn(resource) else {
            return;
        };
        // The policies of these two do not decide about access to the resources themselves.
        let own = match (resource.resource_type, own) {
            ("AWS::IAM::ManagedPolicy", Some(index)) => {
                self.managed.insert(arn.clone(), index);
                None
            }
            ("AWS::EC2::VPCEndpoint", Some(index)) => {
                self.found.endpoints.insert(label(resource), index);
                None
            }
            (_, own) => own,
        };
        if let Some(secret) = self.names.attribute(resource, "MasterUserSecret.SecretArn") {
            let label = format!("{}.MasterUserSecret.SecretArn", label(resource));
            let object = Object {
                resource_type: "AWS::SecretsManager::Secret".to_owned(),
                ..self.object(resource, secret, None)
            };
            self.found.objects.insert(label, object);
        }
        let object = self.object(resource, arn, own);
        self.found.objects.insert(label(resource), object);
    }

    fn object(&self, resource: Resource<'_>, arn: String, policy: Option<usize>) -> Object {
        Object {
            resource_type: resource.resource_type.to_owned(),
            arn,
            account: resource.account().to_owned(),
            region: resource.region().to_owned(),
            policy,
            tags: self.tags(resource),
        }
    }

    fn role(&mut self, resource: Resource<'_>) {
        if resource.resource_type != "AWS::IAM::Role" {
            return;
        }
        let label = label(resource);
        let Some(object) = self.found.objects.get(&label) else {
            return;
        };
        let mut role = Role {
            arn: object.arn.clone(),
            account: object.account.clone(),
            trust: object.policy,
            ..Role::default()
        };
        for inline in list(resource.property("Policies")) {
            let document = inline.get("PolicyDocument").unwrap_or(&Value::Null);
            role.identity
                .extend(self.read(&label, document, Kind::Identity));
        }
        for named in list(resource.property("ManagedPolicyArns")) {
            role.identity.extend(self.managed(&label, named));
        }
        if let Some(named) = resource.property("PermissionsBoundary") {
            role.boundary = self.managed(&label, named);
        }
        self.found.roles.insert(label, role);
    }

    fn policy(&mut self, resource: Resource<'_>, property: &str, kind: Kind) -> Option<usize> {
        if let Some(document) = resource.property(property) {
            return self.read(&label(resource), document, kind);
        }
        let fault = format!("{} has no {property}", label(resource));
        self.found.errors.push(fault);
        None
    }

    fn managed(&mut self, label: &str, policy: &Value) -> Option<usize> {
        let arn = self.names.text(policy).unwrap_or_default();
        let index = self.managed.get(&arn).copied();
        if index.is_none() {
            // AWS changes its managed policies at any time, so nothing can be proved about them.
            let fault = format!("{label}: the policy {policy} is not declared in these templates");
            self.found.errors.push(fault);
        }
        index
    }

    fn read(&mut self, label: &str, document: &Value, kind: Kind) -> Option<usize> {
        match self.names.resolve(document) {
            Ok(resolved) if resolved.get("Statement").is_some() => {
                let policy = Policy {
                    label: label.to_owned(),
                    kind,
                    document: normalized(resolved),
                };
                self.found.policies.push(policy);
                self.found.policies.len().checked_sub(1)
            }
            Ok(_) => {
                self.found
                    .errors
                    .push(format!("{label}: a policy without statements"));
                None
            }
            Err(fault) => {
                self.found.errors.push(format!("{label}: {fault}"));
                None
            }
        }
    }

    fn tags(&self, resource: Resource<'_>) -> BTreeMap<String, String> {
        match resource.property("Tags") {
            Some(Value::Array(tags)) => tags
                .iter()
                .filter_map(|tag| {
                    let key = tag.get("Key")?.as_str()?.to_owned();
                    Some((key, self.names.text(tag.get("Value")?).ok()?))
                })
                .collect(),
            Some(Value::Object(tags)) => tags
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), self.names.text(value).ok()?)))
                .collect(),
            _ => BTreeMap::new(),
        }
    }
}
