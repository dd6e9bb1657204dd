//! Databases, and those that are restored as a test.

use super::Node;
use super::Role;
use crate::Architecture;
use crate::Resource;
use crate::reach::read::Findings;
use crate::reach::read::id;
use crate::reach::read::ids;
use crate::reach::read::truth;

pub(super) fn databases<'a>(
    architecture: &'a Architecture,
    findings: &mut Findings,
) -> Vec<Node<'a>> {
    let mut databases = Vec::new();
    for resource in architecture.of_kind("AWS::RDS::DBInstance") {
        if !matches!(resource.text("NetworkType"), None | Some("IPV4")) {
            findings.note(resource.id, "the model speaks IPv4 only");
        }
        let group = findings.id(resource, "DBSubnetGroupName");
        // Left unsaid, RDS decides by the network.
        let public = findings.truth(resource, "PubliclyAccessible");
        databases.push(Node {
            subnets: subnets(architecture, resource, group, findings),
            groups: Some(findings.ids(resource, "VPCSecurityGroups")),
            public: public.unwrap_or(true),
            ..Node::new(resource.id, Role::Database)
        });
    }
    databases
}

/// What a restore test starts, as its overrides say.
pub(super) fn restored<'a>(
    architecture: &'a Architecture,
    findings: &mut Findings,
) -> Vec<Node<'a>> {
    let mut restored = Vec::new();
    for resource in architecture.of_kind("AWS::Backup::RestoreTestingSelection") {
        match resource.text("ProtectedResourceType") {
            Some("RDS") => {}
            // These have no address in a network.
            Some("S3" | "EBS" | "DynamoDB") => continue,
            other => findings.note(resource.id, format!("a restore not known: {other:?}")),
        }
        let said = |name: &str| resource.property(&format!("RestoreMetadataOverrides/{name}"));
        let group = said("dbSubnetGroupName").and_then(id);
        let groups = said("vpcSecurityGroupIds").and_then(ids);
        let public = said("publiclyAccessible").and_then(truth);
        restored.push(Node {
            subnets: subnets(architecture, resource, group, findings),
            groups: Some(groups.unwrap_or_default()),
            public: public.unwrap_or(true),
            ..Node::new(resource.id, Role::RestoredDatabase)
        });
    }
    restored
}

fn subnets<'a>(
    architecture: &'a Architecture,
    database: Resource<'_>,
    group: Option<&'a str>,
    findings: &mut Findings,
) -> Vec<&'a str> {
    let group = group.and_then(|group| architecture.resource(group));
    let Some(group) = group.filter(|group| group.kind == "AWS::RDS::DBSubnetGroup") else {
        findings.note(database.id, "a database in no subnet group of ours");
        return Vec::new();
    };
    findings.ids(group, "SubnetIds")
}
