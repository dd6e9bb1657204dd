//! The model of the network, built from the assembled document.

use std::collections::BTreeMap;

use serde_json::Value;

use super::acl::Acl;
use super::acl::acls;
use super::diagnostics::Diagnostics;
use super::dns_firewall::DnsFirewall;
use super::dns_firewall::dns_firewalls;
use super::network::Subnet;
use super::network::subnets;
use super::node::Node;
use super::node::Role;
use super::node::TargetGroup;
use super::node::nodes;
use super::resource_types::is_supported;
use super::security_group::Group;
use super::security_group::groups;
use crate::architecture::Architecture;

/// The model, with diagnostics of what it does not support.
#[derive(Debug)]
pub(crate) struct Model<'a> {
    pub(crate) subnets: BTreeMap<&'a str, Subnet<'a>>,
    pub(crate) groups: BTreeMap<&'a str, Group<'a>>,
    pub(crate) acls: BTreeMap<&'a str, Acl<'a>>,
    pub(crate) nodes: Vec<Node<'a>>,
    pub(crate) targets: Vec<TargetGroup<'a>>,
    pub(crate) dns_firewalls: Vec<DnsFirewall<'a>>,
    /// The policies of endpoints, by the ids of the endpoints.
    pub(crate) policies: BTreeMap<&'a str, &'a Value>,
    pub(crate) networks: Vec<&'a str>,
    pub(crate) diagnostics: Diagnostics,
}

impl<'a> Model<'a> {
    pub(crate) fn new(architecture: &'a Architecture) -> Self {
        let mut diagnostics = Diagnostics::default();
        note_unknown_resources(architecture, &mut diagnostics);
        let subnets = subnets(architecture, &mut diagnostics);
        let groups = groups(architecture, &mut diagnostics);
        let acls = acls(architecture, &mut diagnostics);
        let (mut nodes, targets) = nodes(architecture, &mut diagnostics);
        let dns_firewalls = dns_firewalls(architecture, &mut diagnostics);
        for node in &mut nodes {
            for subnet in &node.subnets {
                match subnets.get(subnet) {
                    Some(found) => node.public |= found.gives_public_addresses && node.is_tier(),
                    None => diagnostics.note(
                        node.id,
                        format!("{subnet} is not a subnet of these templates"),
                    ),
                }
            }
            check_placement(node, &groups, &mut diagnostics);
        }
        for subnet in subnets.values() {
            if let Some(acl) = subnet.acl.filter(|acl| !acls.contains_key(acl)) {
                diagnostics.note(
                    subnet.id,
                    format!("{acl} is not a network ACL of these templates"),
                );
            }
        }
        let endpoints = architecture.of_type("AWS::EC2::VPCEndpoint");
        let policies = endpoints
            .filter_map(|endpoint| Some((endpoint.id, endpoint.property("PolicyDocument")?)))
            .collect();
        let networks = architecture
            .of_type("AWS::EC2::VPC")
            .map(|network| network.id)
            .collect();
        Self {
            subnets,
            groups,
            acls,
            nodes,
            targets,
            dns_firewalls,
            policies,
            networks,
            diagnostics,
        }
    }

    /// The subnets that contain a node.
    pub(crate) fn occupied(&self) -> impl Iterator<Item = &Subnet<'a>> {
        self.subnets.values().filter(|subnet| {
            let mut nodes = self.nodes.iter();
            nodes.any(|node| node.subnets.contains(&subnet.id))
        })
    }

    /// The subnets of a node.
    pub(crate) fn subnets_of(&self, node: &Node<'a>) -> Vec<&Subnet<'a>> {
        node.subnets
            .iter()
            .filter_map(|id| self.subnets.get(id))
            .collect()
    }
}

/// Adds a diagnostic for each resource that could carry traffic outside of the model.
fn note_unknown_resources(architecture: &Architecture, diagnostics: &mut Diagnostics) {
    for resource in architecture
        .resources()
        .filter(|resource| !is_supported(resource.resource_type))
    {
        diagnostics.note(
            resource.id,
            format!("the model does not support {}", resource.resource_type),
        );
    }
    for resource in architecture.of_type("AWS::EC2::VPCGatewayAttachment") {
        diagnostics.allow_only(resource, &["VpcId", "InternetGatewayId"]);
    }
    for resource in architecture.of_type("AWS::SecretsManager::RotationSchedule") {
        if resource.property("HostedRotationLambda").is_some() {
            diagnostics.note(
                resource.id,
                "the model does not support a function in the network",
            );
        }
    }
}

/// Adds a diagnostic for a node without subnets, or without groups: EC2 would choose the default group.
fn check_placement(
    node: &Node<'_>,
    groups: &BTreeMap<&str, Group<'_>>,
    diagnostics: &mut Diagnostics,
) {
    let needs_no_subnet = matches!(
        node.role,
        Role::Internet | Role::GatewayEndpoint | Role::ImageBuilder
    );
    if node.subnets.is_empty() && !needs_no_subnet {
        diagnostics.note(node.id, "no subnet is named: it could start in any");
    }
    if node.groups.as_ref().is_some_and(Vec::is_empty) {
        diagnostics.note(
            node.id,
            "no security group is named: it would be in the default one",
        );
    }
    for group in node
        .groups
        .iter()
        .flatten()
        .filter(|group| !groups.contains_key(*group))
    {
        diagnostics.note(
            node.id,
            format!("{group} is not a security group of these templates"),
        );
    }
}
