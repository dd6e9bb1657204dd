//! What resources are called once they are deployed: made up where AWS makes names up, always the
//! same, so that policies which refer to one thing in two ways meet.

use std::collections::BTreeMap;

use serde_json::Map;
use serde_json::Value;

use super::collect::label;
use crate::Architecture;
use crate::Reference;
use crate::Resource;

/// The names of an architecture's resources.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names<'a> {
    architecture: &'a Architecture,
    /// Ids that parameters give away: of keys, by their places in the templates.
    given: &'a BTreeMap<String, String>,
}

impl<'a> Names<'a> {
    pub(super) fn of(architecture: &'a Architecture, given: &'a BTreeMap<String, String>) -> Self {
        Self {
            architecture,
            given,
        }
    }

    /// A value in which references are replaced by what they become.
    ///
    /// # Errors
    /// Names the reference that means nothing to us.
    pub(super) fn resolve(self, value: &Value) -> Result<Value, String> {
        if let Some(reference) = Reference::of(value) {
            return Ok(Value::String(self.referred(reference)?));
        }
        match value {
            Value::Array(items) => items.iter().map(|item| self.resolve(item)).collect(),
            Value::Object(entries) => self.resolve_object(entries),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(value.clone()),
        }
    }

    /// Text in which references are replaced.
    ///
    /// # Errors
    /// Names what is no text, or the reference that means nothing to us.
    pub(super) fn text(self, value: &Value) -> Result<String, String> {
        let resolved = self.resolve(value)?;
        let text = resolved.as_str().map(str::to_owned);
        text.ok_or_else(|| format!("{resolved} is no text"))
    }

    /// The ARN of a resource, if it is one whose ARN we know.
    pub(super) fn arn(self, resource: Resource<'_>) -> Option<String> {
        let name = self.name(resource);
        let (service, path) = match resource.kind {
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
                format!("instance-profile{name}", name = slashed(resource, &name)),
            ),
            "AWS::IAM::ManagedPolicy" => ("iam", format!("policy{}", slashed(resource, &name))),
            "AWS::IAM::Role" => ("iam", format!("role{}", slashed(resource, &name))),
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
        // Roles and policies are of no region.
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

    /// An attribute of a resource.
    pub(super) fn attribute(self, resource: Resource<'_>, attribute: &str) -> Option<String> {
        match (resource.kind, attribute) {
            // AWS's own form of it.
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

    fn referred(self, reference: Reference<'_>) -> Result<String, String> {
        let found = self.architecture.resource(reference.id());
        let name = found.and_then(|resource| match reference {
            Reference::To(_) => self.reference(resource),
            Reference::Attribute(_, attribute) => self.attribute(resource, attribute),
        });
        name.ok_or_else(|| format!("what {reference:?} becomes is not known"))
    }

    /// What `Ref` becomes.
    fn reference(self, resource: Resource<'_>) -> Option<String> {
        match resource.kind {
            "AWS::ACMPCA::CertificateAuthority"
            | "AWS::CertificateManager::Certificate"
            | "AWS::IAM::ManagedPolicy"
            | "AWS::SNS::Topic"
            | "AWS::SecretsManager::Secret" => self.arn(resource),
            "AWS::IAM::RolePolicy" | "AWS::IAM::Policy" => None,
            _ => Some(self.name(resource)),
        }
    }

    /// The name that the template gives, or one made of the id.
    fn name(self, resource: Resource<'_>) -> String {
        let property = match resource.kind {
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
            let text = template
                .as_str()
                .ok_or("Fn::Sub of something that is no text")?;
            return self.substitute(text).map(Value::String);
        }
        if let Some(function) = entries
            .keys()
            .find(|key| key.starts_with("Fn::") || *key == "Ref")
        {
            return Err(format!("{function} is not understood here"));
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
                // Not CloudFormation's but the policy's own.
                whole.extend(["${", variable, "}"]);
            } else {
                let reference = match inside.split_once('.') {
                    Some((id, attribute)) => Reference::Attribute(id, attribute),
                    None => Reference::To(inside),
                };
                whole.push_str(&self.referred(reference)?);
            }
            whole.push_str(rest);
        }
        Ok(whole)
    }
}

fn slashed(resource: Resource<'_>, name: &str) -> String {
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

/// A number of a text: FNV-1a, which is the same everywhere and always.
fn number(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn short(id: &str) -> String {
    format!("0{:016x}", number(id))
}

fn uuid(id: &str) -> String {
    let (first, second) = (number(id), number(&format!("{id}-")));
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        first >> 32,
        (first >> 16) & 0xffff,
        first & 0xfff,
        second >> 52,
        second & 0xffff_ffff_ffff
    )
}
