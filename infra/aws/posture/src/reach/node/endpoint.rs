//! Endpoints: the doors to services of AWS.

use super::Node;
use super::Role;
use crate::Architecture;
use crate::reach::listed::S3_PREFIX_LISTS;
use crate::reach::read::Findings;

/// What the model knows of an endpoint.
const KNOWN: &[&str] = &[
    "VpcId",
    "ServiceName",
    "VpcEndpointType",
    "PrivateDnsEnabled",
    "SecurityGroupIds",
    "SubnetIds",
    "RouteTableIds",
    "PolicyDocument",
    "Tags",
];

pub(super) fn endpoints<'a>(
    architecture: &'a Architecture,
    findings: &mut Findings,
) -> Vec<Node<'a>> {
    let mut endpoints = Vec::new();
    for resource in architecture.of_kind("AWS::EC2::VPCEndpoint") {
        findings.expect_only(resource, KNOWN);
        let own = format!("com.amazonaws.{}.", resource.region());
        let service = resource
            .text("ServiceName")
            .and_then(|name| name.strip_prefix(&own));
        let Some(service) = service else {
            findings.note(resource.id, "no endpoint of a service of AWS in its region");
            continue;
        };
        let node = match resource.text("VpcEndpointType") {
            Some("Interface") => Node {
                subnets: findings.ids(resource, "SubnetIds"),
                groups: Some(findings.ids(resource, "SecurityGroupIds")),
                ..Node::new(resource.id, Role::Endpoint)
            },
            Some("Gateway") | None if service == "s3" => {
                let lists = S3_PREFIX_LISTS.iter();
                let mut known = lists.filter(|(region, _)| *region == resource.region());
                let prefix_list = known.next().map(|(_, list)| *list);
                if prefix_list.is_none() {
                    findings.note(resource.id, "S3's prefix list of this region is not known");
                }
                Node {
                    groups: None,
                    route_tables: findings.ids(resource, "RouteTableIds"),
                    prefix_list,
                    ..Node::new(resource.id, Role::Gateway)
                }
            }
            other => {
                findings.note(resource.id, format!("an endpoint not known: {other:?}"));
                continue;
            }
        };
        endpoints.push(Node { service, ..node });
    }
    endpoints
}
