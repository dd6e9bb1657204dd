//! Which policies there are, and what they are of.

mod attach;
mod document;

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::json;

use self::document::list;
use self::document::plain;
use super::names::Names;
use crate::Architecture;
use crate::Resource;

/// A policy, and what has to be said of it when it is wrong.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    /// `identity/AppRole Policies`.
    pub(super) place: String,
    pub(super) kind: Kind,
    pub(super) document: Value,
}

/// What a policy is attached to, which decides what may stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Identity,
    Trust,
    Resource,
    Endpoint,
    Organization,
}

/// A role, with everything that decides what it may do.
#[derive(Clone, Debug, Default)]
pub(super) struct Role {
    pub(super) arn: String,
    pub(super) account: String,
    /// Indices into [`Collected::policies`].
    pub(super) identity: Vec<usize>,
    pub(super) boundary: Option<usize>,
    pub(super) trust: Option<usize>,
}

/// Something that a role may do something to.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) kind: String,
    pub(super) arn: String,
    pub(super) account: String,
    pub(super) region: String,
    pub(super) policy: Option<usize>,
    pub(super) tags: BTreeMap<String, String>,
}

/// All of it, by `stack/LogicalId`.
#[derive(Clone, Debug, Default)]
pub(super) struct Collected {
    pub(super) policies: Vec<Policy>,
    pub(super) roles: BTreeMap<String, Role>,
    pub(super) objects: BTreeMap<String, Object>,
    pub(super) endpoints: BTreeMap<String, usize>,
    /// What the organization refuses to its accounts.
    pub(super) organization: Vec<usize>,
    /// What could not be read. Anything here fails the rule that all policies are understood.
    pub(super) unread: Vec<String>,
}

impl Collected {
    pub(super) fn from(architecture: &Architecture, given: &BTreeMap<String, String>) -> Self {
        let mut collecting = Collecting {
            names: Names::of(architecture, given),
            architecture,
            found: Self::default(),
            managed: BTreeMap::new(),
        };
        // Managed policies before the roles that name them, and things before their policies.
        architecture
            .resources()
            .for_each(|resource| collecting.thing(resource));
        architecture
            .resources()
            .for_each(|resource| collecting.role(resource));
        architecture
            .resources()
            .for_each(|resource| collecting.attached(resource));
        collecting.account_policies();
        collecting.forgotten();
        collecting.found
    }
}

impl Collected {
    /// A PHI key that the rotation will make, with the policy that leaves all to IAM: the boundaries
    /// have to hold it alone.
    pub(super) fn add_later_key(&mut self) {
        let Some(first) = self.objects.get("keys/PhiKey") else {
            return;
        };
        let place = "keys/LaterPhiKey".to_owned();
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
        self.objects.insert(place.clone(), later);
        self.policies.push(Policy {
            place,
            kind: Kind::Resource,
            document,
        });
    }
}

impl Kind {
    /// The simulator's word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Trust => "trust",
            Self::Endpoint => "endpoint",
            Self::Organization => "organization",
            Self::Resource => "resource",
        }
    }
}

/// A resource's place in the templates.
pub(super) fn label(resource: Resource<'_>) -> String {
    let id = resource.whole.pointer("/Metadata/LogicalId");
    let id = id.and_then(Value::as_str).unwrap_or(resource.id);
    format!("{}/{id}", resource.stack())
}

struct Collecting<'a> {
    names: Names<'a>,
    architecture: &'a Architecture,
    found: Collected,
    /// Managed policies by their ARN.
    managed: BTreeMap<String, usize>,
}

impl Collecting<'_> {
    /// Everything with an ARN, and what it carries itself.
    fn thing(&mut self, resource: Resource<'_>) {
        let own = match resource.kind {
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
        // These two say nothing of who may do something to them.
        let own = match (resource.kind, own) {
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
                kind: "AWS::SecretsManager::Secret".to_owned(),
                ..self.object(resource, secret, None)
            };
            self.found.objects.insert(label, object);
        }
        let object = self.object(resource, arn, own);
        self.found.objects.insert(label(resource), object);
    }

    fn object(&self, resource: Resource<'_>, arn: String, policy: Option<usize>) -> Object {
        Object {
            kind: resource.kind.to_owned(),
            arn,
            account: resource.account().to_owned(),
            region: resource.region().to_owned(),
            policy,
            tags: self.tags(resource),
        }
    }

    fn role(&mut self, resource: Resource<'_>) {
        if resource.kind != "AWS::IAM::Role" {
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
            role.identity.extend(self.named(&label, named));
        }
        if let Some(named) = resource.property("PermissionsBoundary") {
            role.boundary = self.named(&label, named);
        }
        self.found.roles.insert(label, role);
    }

    fn policy(&mut self, resource: Resource<'_>, property: &str, kind: Kind) -> Option<usize> {
        if let Some(document) = resource.property(property) {
            return self.read(&label(resource), document, kind);
        }
        let fault = format!("{} has no {property}", label(resource));
        self.found.unread.push(fault);
        None
    }

    fn named(&mut self, label: &str, policy: &Value) -> Option<usize> {
        let arn = self.names.text(policy).unwrap_or_default();
        let index = self.managed.get(&arn).copied();
        if index.is_none() {
            // AWS changes its own ones when it likes, so what they allow can't be proved.
            let fault = format!("{label}: the policy {policy} is none of these templates");
            self.found.unread.push(fault);
        }
        index
    }

    fn read(&mut self, place: &str, document: &Value, kind: Kind) -> Option<usize> {
        match self.names.resolve(document) {
            Ok(resolved) if resolved.get("Statement").is_some() => {
                let policy = Policy {
                    place: place.to_owned(),
                    kind,
                    document: plain(resolved),
                };
                self.found.policies.push(policy);
                self.found.policies.len().checked_sub(1)
            }
            Ok(_) => {
                self.found
                    .unread
                    .push(format!("{place}: a policy without statements"));
                None
            }
            Err(fault) => {
                self.found.unread.push(format!("{place}: {fault}"));
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
