//! Databases, and those that restore tests create.

use super::Node;
use super::Role;
use crate::architecture::Architecture;
use crate::architecture::Resource;
use crate::reach::diagnostics::Diagnostics;
use crate::reach::values::boolean;
use crate::reach::values::id;
use crate::reach::values::ids;

pub(super) fn databases<'a>(
    architecture: &'a Architecture,
    diagnostics: &mut Diagnostics,
) -> Vec<Node<'a>> {
    let mut databases = Vec::new();
    for resource in architecture.of_type("AWS::RDS::DBInstance") {
        if !matches!(resource.text("NetworkType"), None | Some("IPV4")) {
            diagnostics.note(resource.id, "the model supports IPv4 only");
        }
        let group = diagnostics.id(resource, "DBSubnetGroupName");
        // By default, RDS decides by the subnet group: assume the worse.
        let public = diagnostics.boolean(resource, "PubliclyAccessible");
        databases.push(Node {
            subnets: subnets(architecture, resource, group, diagnostics),
            groups: Some(diagnostics.ids(resource, "VPCSecurityGroups")),
            public: public.unwrap_or(true),
            ..Node::new(resource.id, Role::Database)
        });
    }
    databases
}

/// The databases that restore tests create, as their overrides configure them.
pub(super) fn restored<'a>(
    architecture: &'a Architecture,
    diagnostics: &mut Diagnostics,
) -> Vec<Node<'a>> {
    let mut restored = Vec::new();
    for resource in architecture.of_type("AWS::Backup::RestoreTestingSelection") {
        match resource.text("ProtectedResourceType") {
            Some("RDS") => {}
            // Restored resources of these types have no address in a network.
            Some("S3" | "EBS" | "DynamoDB") => continue,
            other => diagnostics.note(
                resource.id,
                format!("the model does not support restoring {other:?}"),
            ),
        }
        let setting = |name: &str| resource.property(&format!("RestoreMetadataOverrides/{name}"));
        let group = setting("dbSubnetGroupName").and_then(id);
        let groups = setting("vpcSecurityGroupIds").and_then(ids);
        let public = setting("publiclyAccessible").and_then(boolean);
        restored.push(Node {
            subnets: subnets(architecture, resource, group, diagnostics),
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
    diagnostics: &mut Diagnostics,
) -> Vec<&'a str> {
    let group = group.and_then(|group| architecture.resource(group));
    let Some(group) = group.filter(|group| group.resource_type == "AWS::RDS::DBSubnetGroup") else {
        diagnostics.note(
            database.id,
            "the subnet group is not declared in these templates",
        );
        return Vec::new();
    };
    diagnostics.ids(group, "SubnetIds")
}
