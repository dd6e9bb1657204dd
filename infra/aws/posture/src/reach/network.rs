//! Networks: subnets, where their routes lead, and which network ACL stands before each.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;

use super::acl::associations;
use super::place::is_private;
use super::read::Findings;
use crate::Architecture;
use crate::Resource;

/// A subnet.
#[derive(Debug)]
pub(crate) struct Subnet<'a> {
    pub(crate) id: &'a str,
    pub(crate) vpc: &'a str,
    pub(crate) block: Ipv4Net,
    /// Its availability zone, as the template says it.
    pub(crate) zone: &'a str,
    /// Whether what starts here gets a public address if it says nothing about it.
    pub(crate) gives_public_addresses: bool,
    pub(crate) route_table: &'a str,
    /// None is the network's default ACL, which lets everything pass.
    pub(crate) acl: Option<&'a str>,
    /// Whether a route leads to an internet gateway.
    pub(crate) internet: bool,
}

/// All subnets of the document.
pub(crate) fn subnets<'a>(
    architecture: &'a Architecture,
    findings: &mut Findings,
) -> BTreeMap<&'a str, Subnet<'a>> {
    let table = "AWS::EC2::SubnetRouteTableAssociation";
    let tables = associations(architecture, table, "RouteTableId", findings);
    let acl = "AWS::EC2::SubnetNetworkAclAssociation";
    let acls = associations(architecture, acl, "NetworkAclId", findings);
    let internet = tables_with_a_way_out(architecture, findings);
    networks(architecture, findings);
    let mut subnets = BTreeMap::new();
    for resource in architecture.of_kind("AWS::EC2::Subnet") {
        let block = resource
            .text("CidrBlock")
            .and_then(|text| text.parse().ok());
        let parts = (
            block,
            findings.id(resource, "VpcId"),
            resource.text("AvailabilityZone"),
            tables.get(resource.id),
        );
        let (Some(block), Some(vpc), Some(zone), Some(route_table)) = parts else {
            let what = "a subnet whose block, network, zone or route table is not said";
            findings.note(resource.id, what);
            continue;
        };
        let known = [
            "VpcId",
            "CidrBlock",
            "AvailabilityZone",
            "MapPublicIpOnLaunch",
            "Tags",
        ];
        findings.expect_only(resource, &known);
        let public = findings.truth(resource, "MapPublicIpOnLaunch");
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

/// The model tells the internet from a network by private addresses.
fn networks(architecture: &Architecture, findings: &mut Findings) {
    for resource in architecture.of_kind("AWS::EC2::VPC") {
        let block = resource
            .text("CidrBlock")
            .and_then(|text| text.parse().ok());
        if !block.is_some_and(is_private) {
            findings.note(
                resource.id,
                "CidrBlock is no block of private IPv4 addresses",
            );
        }
        let known = [
            "CidrBlock",
            "InstanceTenancy",
            "EnableDnsSupport",
            "EnableDnsHostnames",
            "Tags",
        ];
        findings.expect_only(resource, &known);
    }
}

fn tables_with_a_way_out<'a>(
    architecture: &'a Architecture,
    findings: &mut Findings,
) -> Vec<&'a str> {
    let mut tables = Vec::new();
    for route in architecture.of_kind("AWS::EC2::Route") {
        let table = findings.id(route, "RouteTableId");
        // Everything else that a route can lead to, the model does not know.
        let known = ["RouteTableId", "DestinationCidrBlock", "GatewayId"];
        findings.expect_only(route, &known);
        if leads_to_the_internet(architecture, route, findings) {
            tables.extend(table);
        }
    }
    tables
}

fn leads_to_the_internet(
    architecture: &Architecture,
    route: Resource<'_>,
    findings: &mut Findings,
) -> bool {
    let Some(gateway) = findings.id(route, "GatewayId") else {
        return false;
    };
    let kind = architecture.resource(gateway).map(|found| found.kind);
    if kind != Some("AWS::EC2::InternetGateway") {
        findings.note(
            route.id,
            format!("{gateway} is no internet gateway of ours"),
        );
    }
    true
}
