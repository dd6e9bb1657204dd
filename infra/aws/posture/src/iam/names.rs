//! The names and ARNs of resources after a deployment. Where AWS generates a name, this module derives one from the
//! resource's id, so that two references to one resource are equal.

use std::collections::BTreeMap;

use serde_json::Map;
use serde_json::Value;

use crate::architecture::Architecture;
use crate::architecture::Reference;
use crate::architecture::Resource;

/// The names of an architecture's resources.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names<'a> {
    architecture: &'a Architecture,
    /// Ids of keys that parameters contain, by the key's label.
    given: &'a BTreeMap<String, String>,
}

impl<'a> Names<'a> {
    pub(super) fn new(architecture: &'a Architecture, given: &'a BTreeMap<String, String>) -> Self {
        Self {
            architecture,
            given,
        }
    }

    /// A value with its references replaced.
    ///
    /// # Errors
    /// When a reference has no known value.
    pub(super) fn resolve(self, value: &Value) -> Result<Value, String> {
        if let Some(reference) = Reference::of(value) {
            return Ok(Value::String(self.resolve_reference(reference)?));
        }
        match value {
            Value::Array(items) => items.iter().map(|item| self.resolve(item)).collect(),
            Value::Object(entries) => self.resolve_object(entries),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(value.clone()),
        }
    }

    /// A text with its references replaced.
    ///
    /// # Errors
    /// When the value is not text, or a reference has no known value.
    pub(super) fn text(self, value: &Value) -> Result<String, String> {
        let resolved = self.resolve(value)?;
        let text = resolved.as_str().map(str::to_owned);
        text.ok_or_else(|| format!("{resolved} is not text"))
    }

    /// The ARN of a resource; none if this module does not know its form.
    pub(super) fn arn(self, resource: Resource<'_>) -> Option<String> {
        let name = self.name(resource);
        let (service, path) = match resource.resource_type {
            "AWS::ACMPCA::CertificateAuthority" => (
                "acm-pca",
                format!("certificate-authority/{}", uuid(resource.id)),
            ),
            "AWS::Backup::BackupVault" => ("backup", format!("backup-vault:{name}")),
            "AWS::CertificateManager::Certificate" => {
                ("acm", format!("certificate/{}", uuid(resource.id)))
            }
            "AWS::CloudTrail::Trail" => ("cloudtrail", format!("trail/{name}")),
            "AWS::EC2::VPC" => ("ec2", format!("vpc/{name}")),
            "AWS::EC2::VPCEndpoint" => ("ec2", format!("vpc-endpoint/{name}")),
            "AWS::IAM::InstanceProfile" => (
                "iam",
                format!("instance-profile{name}", name = with_path(resource, &name)),
            ),
            "AWS::IAM::ManagedPolicy" => ("iam", format!("policy{}", with_path(resource, &name))),
            "AWS::IAM::Role" => ("iam", format!("role{}", with_path(resource, &name))),
            "AWS::IAM::ServiceLinkedRole" => {
                let service = resource.text("AWSServiceName").unwrap_or_default();
                ("iam", format!("role/aws-service-role/{service}/{name}"))
            }
            "AWS::KMS::Key" | "AWS::KMS::ReplicaKey" => ("kms", format!("key/{name}")),
            "AWS::KMS::Alias" => ("kms", name),
            "AWS::Logs::LogGroup" => ("logs", format!("log-group:{name}")),
            "AWS::RDS::DBInstance" => ("rds", format!("db:{name}")),
            "AWS::S3::Bucket" => return Some(format!("arn:aws:s3:::{name}")),
            "AWS::SNS::Topic" => ("sns", name),
            "AWS::SQS::Queue" => ("sqs", name),
            "AWS::SSM::Document" => ("ssm", format!("document/{name}")),
            "AWS::SecretsManager::Secret" => ("secretsmanager", format!("secret:{name}-AbCdEf")),
            _ => return None,
        };
        // IAM is global.
        let region = if service == "iam" {
            ""
        } else {
            resource.region()
        };
        Some(format!(
            "arn:aws:{service}:{region}:{}:{path}",
            resource.account()
        ))
    }

    /// The value of `Fn::GetAtt`.
    pub(super) fn attribute(self, resource: Resource<'_>, attribute: &str) -> Option<String> {
        match (resource.resource_type, attribute) {
            // The service returns the ARN with this suffix.
            ("AWS::Logs::LogGroup", "Arn") => Some(format!("{}:*", self.arn(resource)?)),
            ("AWS::RDS::DBInstance", "MasterUserSecret.SecretArn") => Some(format!(
                "arn:aws:secretsmanager:{}:{}:secret:rds!db-{}-AbCdEf",
                resource.region(),
                resource.account(),
                uuid(resource.id)
            )),
            ("AWS::KMS::Key" | "AWS::KMS::ReplicaKey", "KeyId") => Some(self.name(resource)),
            ("AWS::SecretsManager::Secret", "Id") => self.arn(resource),
            ("AWS::EC2::VPC", "VpcId") | ("AWS::EC2::VPCEndpoint", "Id") => {
                Some(self.name(resource))
            }
            (_, "Arn" | "BackupVaultArn" | "DBInstanceArn" | "TopicArn" | "PolicyArn") => {
                self.arn(resource)
            }
            _ => None,
        }
    }

    fn resolve_reference(self, reference: Reference<'_>) -> Result<String, String> {
        let found = self.architecture.resource(reference.id());
        let name = found.and_then(|resource| match reference {
            Reference::Ref(_) => self.reference(resource),
            Reference::GetAtt(_, attribute) => self.attribute(resource, attribute),
        });
        name.ok_or_else(|| format!("the value of {reference:?} is not known"))
    }

    /// The value of `Ref`.
    fn reference(self, resource: Resource<'_>) -> Option<String> {
        match resource.resource_type {
            "AWS::ACMPCA::CertificateAuthority"
            | "AWS::CertificateManager::Certificate"
            | "AWS::IAM::ManagedPolicy"
            | "AWS::SNS::Topic"
            | "AWS::SecretsManager::Secret" => self.arn(resource),
            "AWS::IAM::RolePolicy" | "AWS::IAM::Policy" => None,
            _ => Some(self.name(resource)),
        }
    }

    /// The name in the template, or one derived from the id.
    fn name(self, resource: Resource<'_>) -> String {
        let property = match resource.resource_type {
            "AWS::Backup::BackupVault" => "BackupVaultName",
            "AWS::CloudTrail::Trail" => "TrailName",
            "AWS::EC2::VPC" => return format!("vpc-{}", short(resource.id)),
            "AWS::EC2::VPCEndpoint" => return format!("vpce-{}", short(resource.id)),
            "AWS::IAM::InstanceProfile" => "InstanceProfileName",
            "AWS::IAM::ManagedPolicy" => "ManagedPolicyName",
            "AWS::IAM::Role" => "RoleName",
            "AWS::IAM::ServiceLinkedRole" => return service_linked(resource),
            "AWS::KMS::Alias" => "AliasName",
            "AWS::KMS::Key" => {
                let given = self.given.get(&label(resource));
                return given.cloned().unwrap_or_else(|| uuid(resource.id));
            }
            "AWS::KMS::ReplicaKey" => return self.replicated(resource),
            "AWS::Logs::LogGroup" => "LogGroupName",
            "AWS::RDS::DBInstance" => "DBInstanceIdentifier",
            "AWS::S3::Bucket" => "BucketName",
            "AWS::SNS::Topic" => "TopicName",
            "AWS::SQS::Queue" => "QueueName",
            _ => "Name",
        };
        let named = resource.property(property).map(|value| self.text(value));
        named
            .and_then(Result::ok)
            .unwrap_or_else(|| resource.id.to_lowercase())
    }

    /// A replica has the id of its primary.
    fn replicated(self, resource: Resource<'_>) -> String {
        let primary = resource.property("PrimaryKeyArn");
        let arn = primary.and_then(|value| self.text(value).ok());
        let id = arn.as_deref().and_then(|arn| arn.rsplit_once('/'));
        id.map_or_else(|| uuid(resource.id), |(_, id)| id.to_owned())
    }

    fn resolve_object(self, entries: &Map<String, Value>) -> Result<Value, String> {
        if let Some(template) = entries.get("Fn::Sub") {
            let text = template.as_str().ok_or("Fn::Sub without text")?;
            return self.substitute(text).map(Value::String);
        }
        if let Some(function) = entries
            .keys()
            .find(|key| key.starts_with("Fn::") || *key == "Ref")
        {
            return Err(format!("{function} is not supported in a policy"));
        }
        let resolved = entries
            .iter()
            .map(|(key, value)| Ok((key.clone(), self.resolve(value)?)));
        resolved
            .collect::<Result<Map<_, _>, String>>()
            .map(Value::Object)
    }

    fn substitute(self, text: &str) -> Result<String, String> {
        let mut parts = text.split("${");
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (inside, rest) = part
                .split_once('}')
                .ok_or_else(|| format!("a reference in {text} has no end"))?;
            if let Some(variable) = inside.strip_prefix('!') {
                // `${!x}` is a policy variable.
                whole.extend(["${", variable, "}"]);
            } else {
                let reference = match inside.split_once('.') {
                    Some((id, attribute)) => Reference::GetAtt(id, attribute),
                    None => Reference::Ref(inside),
                };
                whole.push_str(&self.resolve_reference(reference)?);
            }
            whole.push_str(rest);
        }
        Ok(whole)
    }
}

/// The label of a resource: `stack/LogicalId`.
pub(super) fn label(resource: Resource<'_>) -> String {
    let id = resource.definition.pointer("/Metadata/LogicalId");
    let id = id.and_then(Value::as_str).unwrap_or(resource.id);
    format!("{}/{id}", resource.stack())
}

fn with_path(resource: Resource<'_>, name: &str) -> String {
    format!("{}{name}", resource.text("Path").unwrap_or("/"))
}

fn service_linked(resource: Resource<'_>) -> String {
    let service = resource.text("AWSServiceName").unwrap_or_default();
    let service = service.trim_end_matches(".amazonaws.com");
    match resource.text("CustomSuffix") {
        Some(suffix) => format!("AWSServiceRoleFor{service}_{suffix}"),
        None => format!("AWSServiceRoleFor{service}"),
    }
}

/// FNV-1a, which gives the same hash on every machine.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn short(id: &str) -> String {
    format!("0{:016x}", hash(id))
}

fn uuid(id: &str) -> String {
    let (first, second) = (hash(id), hash(&format!("{id}-")));
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        first >> 32,
        (first >> 16) & 0xffff,
        first & 0xfff,
        second >> 52,
        second & 0xffff_ffff_ffff
    )
}
