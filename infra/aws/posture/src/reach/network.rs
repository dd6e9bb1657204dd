//! Subnets with their routes and network ACLs.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;

use super::acl::associations;
use super::addresses::is_private;
use super::diagnostics::Diagnostics;
use crate::architecture::Architecture;
use crate::architecture::Resource;

/// A subnet.
#[derive(Debug)]
pub(crate) struct Subnet<'a> {
    pub(crate) id: &'a str,
    pub(crate) vpc: &'a str,
    pub(crate) block: Ipv4Net,
    /// The availability zone, as in the template.
    pub(crate) zone: &'a str,
    /// Whether machines get a public address by default.
    pub(crate) gives_public_addresses: bool,
    pub(crate) route_table: &'a str,
    /// The network ACL; none for the network's default ACL, which allows everything.
    pub(crate) acl: Option<&'a str>,
    /// Whether a route leads to an internet gateway.
    pub(crate) internet: bool,
}

/// All subnets of the document.
pub(crate) fn subnets<'a>(
    architecture: &'a Architecture,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<&'a str, Subnet<'a>> {
    let table = "AWS::EC2::SubnetRouteTableAssociation";
    let tables = associations(architecture, table, "RouteTableId", diagnostics);
    let acl = "AWS::EC2::SubnetNetworkAclAssociation";
    let acls = associations(architecture, acl, "NetworkAclId", diagnostics);
    let internet = tables_with_internet_route(architecture, diagnostics);
    networks(architecture, diagnostics);
    let mut subnets = BTreeMap::new();
    for resource in architecture.of_type("AWS::EC2::Subnet") {
        let block = resource
            .text("CidrBlock")
            .and_then(|text| text.parse().ok());
        let parts = (
            block,
            diagnostics.id(resource, "VpcId"),
            resource.text("AvailabilityZone"),
            tables.get(resource.id),
        );
        let (Some(block), Some(vpc), Some(zone), Some(route_table)) = parts else {
            let what = "a subnet without a block, network, zone or route table";
            diagnostics.note(resource.id, what);
            continue;
        };
        let known = [
            "VpcId",
            "CidrBlock",
            "AvailabilityZone",
            "MapPublicIpOnLaunch",
            "Tags",
        ];
        diagnostics.allow_only(resource, &known);
        let public = diagnostics.boolean(resource, "MapPublicIpOnLaunch");
        let subnet = Subnet {
            id: resource.id,
            vpc,
            block,
            zone,
            gives_public_addresses: public.unwrap_or(false),
            route_table,
            acl: acls.get(resource.id).copied(),
            internet: internet.contains(route_table),
        };
        subnets.insert(resource.id, subnet);
    }
    subnets
}

/// The model distinguishes the internet from a network by private addresses.
fn networks(architecture: &Architecture, diagnostics: &mut Diagnostics) {
    for resource in architecture.of_type("AWS::EC2::VPC") {
        let block = resource
            .text("CidrBlock")
            .and_then(|text| text.parse().ok());
        if !block.is_some_and(is_private) {
            diagnostics.note(
                resource.id,
                "CidrBlock is not a block of private IPv4 addresses",
            );
        }
        let known = [
            "CidrBlock",
            "InstanceTenancy",
            "EnableDnsSupport",
            "EnableDnsHostnames",
            "Tags",
        ];
        diagnostics.allow_only(resource, &known);
    }
}

fn tables_with_internet_route<'a>(
    architecture: &'a Architecture,
    diagnostics: &mut Diagnostics,
) -> Vec<&'a str> {
    let mut tables = Vec::new();
    for route in architecture.of_type("AWS::EC2::Route") {
        let table = diagnostics.id(route, "RouteTableId");
        // The model does not support other targets of routes.
        let known = ["RouteTableId", "DestinationCidrBlock", "GatewayId"];
        diagnostics.allow_only(route, &known);
        if leads_to_the_internet(architecture, route, diagnostics) {
            tables.extend(table);
        }
    }
    tables
}

fn leads_to_the_internet(
    architecture: &Architecture,
    route: Resource<'_>,
    diagnostics: &mut Diagnostics,
) -> bool {
    let Some(gateway) = diagnostics.id(route, "GatewayId") else {
        return false;
    };
    let kind = architecture
        .resource(gateway)
        .map(|found| found.resource_type);
    if kind != Some("AWS::EC2::InternetGateway") {
        diagnostics.note(
            route.id,
            format!("{gateway} is not an internet gateway of these templates"),
        );
    }
    true
}
