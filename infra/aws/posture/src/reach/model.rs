//! Everything of the document that decides who reaches whom.

use std::collections::BTreeMap;

use serde_json::Value;

use super::acl::Acl;
use super::acl::acls;
use super::group::Group;
use super::group::groups;
use super::known::is_known;
use super::network::Subnet;
use super::network::subnets;
use super::node::Node;
use super::node::Role;
use super::node::Targets;
use super::node::nodes;
use super::read::Findings;
use super::resolver::Resolver;
use super::resolver::resolvers;
use crate::Architecture;

/// The model, and what it could not make sense of.
#[derive(Debug)]
pub(crate) struct Model<'a> {
    pub(crate) subnets: BTreeMap<&'a str, Subnet<'a>>,
    pub(crate) groups: BTreeMap<&'a str, Group<'a>>,
    pub(crate) acls: BTreeMap<&'a str, Acl<'a>>,
    pub(crate) nodes: Vec<Node<'a>>,
    pub(crate) targets: Vec<Targets<'a>>,
    pub(crate) resolvers: Vec<Resolver<'a>>,
    /// Endpoints' policies, by the endpoints' ids.
    pub(crate) policies: BTreeMap<&'a str, &'a Value>,
    pub(crate) networks: Vec<&'a str>,
    pub(crate) findings: Findings,
}

impl<'a> Model<'a> {
    pub(crate) fn of(architecture: &'a Architecture) -> Self {
        let mut findings = Findings::default();
        strangers(architecture, &mut findings);
        let subnets = subnets(architecture, &mut findings);
        let groups = groups(architecture, &mut findings);
        let acls = acls(architecture, &mut findings);
        let (mut nodes, targets) = nodes(architecture, &mut findings);
        let resolvers = resolvers(architecture, &mut findings);
        for node in &mut nodes {
            for subnet in &node.subnets {
                match subnets.get(subnet) {
                    Some(found) => node.public |= found.gives_public_addresses && node.is_tier(),
                    None => findings.note(node.id, format!("{subnet} is no subnet of ours")),
                }
            }
            check(node, &groups, &mut findings);
        }
        for subnet in subnets.values() {
            if let Some(acl) = subnet.acl.filter(|acl| !acls.contains_key(acl)) {
                findings.note(subnet.id, format!("{acl} is no network ACL of ours"));
            }
        }
        let endpoints = architecture.of_kind("AWS::EC2::VPCEndpoint");
        let policies = endpoints
            .filter_map(|endpoint| Some((endpoint.id, endpoint.property("PolicyDocument")?)))
            .collect();
        let networks = architecture
            .of_kind("AWS::EC2::VPC")
            .map(|network| network.id)
            .collect();
        Self {
            subnets,
            groups,
            acls,
            nodes,
            targets,
            resolvers,
            policies,
            networks,
            findings,
        }
    }

    /// Subnets in which something stands. The others are an end of nothing.
    pub(crate) fn inhabited(&self) -> impl Iterator<Item = &Subnet<'a>> {
        self.subnets.values().filter(|subnet| {
            let mut nodes = self.nodes.iter();
            nodes.any(|node| node.subnets.contains(&subnet.id))
        })
    }

    /// The subnets in which a node stands.
    pub(crate) fn subnets_of(&self, node: &Node<'a>) -> Vec<&Subnet<'a>> {
        node.subnets
            .iter()
            .filter_map(|id| self.subnets.get(id))
            .collect()
    }
}

/// Notes what stands in the document and could carry traffic that the model would not see.
fn strangers(architecture: &Architecture, findings: &mut Findings) {
    for resource in architecture
        .resources()
        .filter(|resource| !is_known(resource.kind))
    {
        findings.note(
            resource.id,
            format!("the model does not know {}", resource.kind),
        );
    }
    for resource in architecture.of_kind("AWS::EC2::VPCGatewayAttachment") {
        findings.expect_only(resource, &["VpcId", "InternetGatewayId"]);
    }
    for resource in architecture.of_kind("AWS::SecretsManager::RotationSchedule") {
        if resource.property("HostedRotationLambda").is_some() {
            findings.note(
                resource.id,
                "a function in the network that the model does not know",
            );
        }
    }
}

/// A node that stands nowhere, or in no group, would stand in the network's default group.
fn check(node: &Node<'_>, groups: &BTreeMap<&str, Group<'_>>, findings: &mut Findings) {
    let somewhere = matches!(node.role, Role::Internet | Role::Gateway | Role::Builder);
    if node.subnets.is_empty() && !somewhere {
        findings.note(node.id, "no subnet is named: it could stand anywhere");
    }
    if node.groups.as_ref().is_some_and(Vec::is_empty) {
        findings.note(
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
        findings.note(node.id, format!("{group} is no security group of ours"));
    }
}
