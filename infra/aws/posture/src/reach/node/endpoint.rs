//! VPC endpoints of AWS services.

use super::Node;
use super::Role;
use crate::architecture::Architecture;
use crate::reach::diagnostics::Diagnostics;
use crate::reach::prefix_lists::S3_PREFIX_LISTS;

/// The properties of an endpoint that the model supports.
const SUPPORTED: &[&str] = &[
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
    diagnostics: &mut Diagnostics,
) -> Vec<Node<'a>> {
    let mut endpoints = Vec::new();
    for resource in architecture.of_type("AWS::EC2::VPCEndpoint") {
        diagnostics.allow_only(resource, SUPPORTED);
        let own = format!("com.amazonaws.{}.", resource.region());
        let service = resource
            .text("ServiceName")
            .and_then(|name| name.strip_prefix(&own));
        let Some(service) = service else {
            diagnostics.note(
                resource.id,
                "not an endpoint of an AWS service in its region",
            );
            continue;
        };
        let node = match resource.text("VpcEndpointType") {
            Some("Interface") => Node {
                subnets: diagnostics.ids(resource, "SubnetIds"),
                groups: Some(diagnostics.ids(resource, "SecurityGroupIds")),
                ..Node::new(resource.id, Role::InterfaceEndpoint)
            },
            Some("Gateway") | None if service == "s3" => {
                let lists = S3_PREFIX_LISTS.iter();
                let mut known = lists.filter(|(region, _)| *region == resource.region());
                let prefix_list = known.next().map(|(_, list)| *list);
                if prefix_list.is_none() {
                    diagnostics.note(
                        resource.id,
                        "the prefix list of S3 in this region is not known",
                    );
                }
                Node {
                    groups: None,
                    route_tables: diagnostics.ids(resource, "RouteTableIds"),
                    prefix_list,
                    ..Node::new(resource.id, Role::GatewayEndpoint)
                }
            }
            other => {
                diagnostics.note(
                    resource.id,
                    format!("the model does not support an endpoint {other:?}"),
                );
                continue;
            }
        };
        endpoints.push(Node { service, ..node });
    }
    endpoints
}
