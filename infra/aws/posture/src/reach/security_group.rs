//! Security groups: the connections that their members may accept and open.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;
use serde_json::Value;

use super::addresses::AddressRange;
use super::addresses::Coverage;
use super::addresses::Quantifier;
use super::addresses::is_loopback;
use super::diagnostics::Diagnostics;
use super::prefix_lists::S3_PREFIX_LISTS;
use super::traffic::Protocol;
use super::traffic::Traffic;
use super::values::id;
use super::values::port;
use crate::architecture::Architecture;
use crate::architecture::Resource;

/// A security group with all its rules, inline and as resources.
#[derive(Debug, Default)]
pub(crate) struct Group<'a> {
    pub(crate) ingress: Vec<Rule<'a>>,
    pub(crate) egress: Vec<Rule<'a>>,
}

/// A rule: a peer and the allowed traffic.
#[derive(Debug)]
pub(crate) struct Rule<'a> {
    pub(crate) peer: Peer<'a>,
    pub(crate) traffic: Traffic,
}

/// The peer of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer<'a> {
    Group(&'a str),
    Block(Ipv4Net),
    PrefixList(&'a str),
}

/// The direction of traffic, as seen from the member or the subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Ingress,
    Egress,
}

impl<'a> Group<'a> {
    pub(crate) fn rules(&self, direction: Direction) -> &[Rule<'a>] {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }
}

impl Peer<'_> {
    /// Whether a node matches: a member of these groups, behind this prefix list, with these addresses.
    pub(crate) fn matches(
        self,
        groups: &[&str],
        prefix_list: Option<&str>,
        addresses: AddressRange,
        quantifier: Quantifier,
    ) -> bool {
        match self {
            Self::Group(id) => groups.contains(&id),
            Self::PrefixList(id) => prefix_list == Some(id),
            Self::Block(block) => Coverage::of(block, addresses).is_enough(quantifier),
        }
    }

    /// Whether it is the loopback network, so that the rule allows no traffic.
    pub(crate) fn is_loopback_only(self) -> bool {
        matches!(self, Self::Block(block) if is_loopback(block))
    }
}

impl std::fmt::Display for Rule<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let traffic = &self.traffic;
        match self.peer {
            Peer::Group(id) => write!(out, "{traffic} with members of {id}"),
            Peer::Block(block) => write!(out, "{traffic} with {block}"),
            Peer::PrefixList(id) => write!(out, "{traffic} with the prefix list {id}"),
        }
    }
}

/// All security groups of the document.
pub(crate) fn groups<'a>(
    architecture: &'a Architecture,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<&'a str, Group<'a>> {
    let mut groups = BTreeMap::new();
    for resource in architecture.of_type("AWS::EC2::SecurityGroup") {
        let ingress = inline(
            resource,
            "SecurityGroupIngress",
            Direction::Ingress,
            diagnostics,
        );
        let mut egress = inline(
            resource,
            "SecurityGroupEgress",
            Direction::Egress,
            diagnostics,
        );
        if egress.is_empty() {
            // Without an egress rule in the template, EC2 adds one that allows everything.
            egress.push(Rule {
                peer: Peer::Block(Ipv4Net::default()),
                traffic: Traffic::all(),
            });
        }
        groups.insert(resource.id, Group { ingress, egress });
    }
    for direction in [Direction::Ingress, Direction::Egress] {
        let kind = match direction {
            Direction::Ingress => "AWS::EC2::SecurityGroupIngress",
            Direction::Egress => "AWS::EC2::SecurityGroupEgress",
        };
        for resource in architecture.of_type(kind) {
            add(resource, direction, &mut groups, diagnostics);
        }
    }
    for (name, group) in &groups {
        for rule in group.ingress.iter().chain(&group.egress) {
            if let Some(what) = unknown_peer(rule.peer, &groups) {
                diagnostics.note(name, what);
            }
        }
    }
    groups
}

/// A message for a peer that the templates do not declare.
fn unknown_peer(peer: Peer<'_>, groups: &BTreeMap<&str, Group<'_>>) -> Option<String> {
    let known = match peer {
        Peer::Group(other) => groups.contains_key(other),
        Peer::PrefixList(other) => S3_PREFIX_LISTS.iter().any(|(_, list)| *list == other),
        Peer::Block(_) => true,
    };
    (!known).then(|| format!("{peer:?} is not declared in these templates"))
}

fn add<'a>(
    resource: Resource<'a>,
    direction: Direction,
    groups: &mut BTreeMap<&'a str, Group<'a>>,
    diagnostics: &mut Diagnostics,
) {
    let owner = diagnostics.id(resource, "GroupId");
    let Some(group) = owner.and_then(|owner| groups.get_mut(owner)) else {
        diagnostics.note(
            resource.id,
            "GroupId is not a security group of these templates",
        );
        return;
    };
    let Some(properties) = resource.definition.get("Properties") else {
        return;
    };
    match rule(properties, direction) {
        Ok(rule) => match direction {
            Direction::Ingress => group.ingress.push(rule),
            Direction::Egress => group.egress.push(rule),
        },
        Err(what) => diagnostics.note(resource.id, what),
    }
}

fn inline<'a>(
    resource: Resource<'a>,
    property: &str,
    direction: Direction,
    diagnostics: &mut Diagnostics,
) -> Vec<Rule<'a>> {
    let Some(value) = resource.property(property) else {
        return Vec::new();
    };
    let Some(items) = value.as_array() else {
        diagnostics.note(resource.id, format!("{property} is not a list"));
        return Vec::new();
    };
    let mut rules = Vec::new();
    for item in items {
        match rule(item, direction) {
            Ok(rule) => rules.push(rule),
            Err(what) => diagnostics.note(resource.id, format!("{property}: {what}")),
        }
    }
    rules
}

fn rule(value: &Value, direction: Direction) -> Result<Rule<'_>, String> {
    let (group, list) = match direction {
        Direction::Ingress => ("SourceSecurityGroupId", "SourcePrefixListId"),
        Direction::Egress => ("DestinationSecurityGroupId", "DestinationPrefixListId"),
    };
    let mut peers = Vec::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        let peer = match name.as_str() {
            "CidrIp" => value
                .as_str()
                .and_then(|text| text.parse().ok())
                .map(|block: Ipv4Net| Peer::Block(block.trunc())),
            name if name == group => id(value).map(Peer::Group),
            name if name == list => value.as_str().map(Peer::PrefixList),
            "IpProtocol" | "FromPort" | "ToPort" | "Description" | "GroupId" | "Tags" => continue,
            other => return Err(format!("the model does not support {other} in a rule")),
        };
        peers.push(peer.ok_or_else(|| format!("{name} cannot be read: {value}"))?);
    }
    match peers.as_slice() {
        [peer] => Ok(Rule {
            peer: *peer,
            traffic: traffic(value)?,
        }),
        _ => Err("a rule must name exactly one peer".to_owned()),
    }
}

fn traffic(rule: &Value) -> Result<Traffic, String> {
    let protocol = rule.get("IpProtocol").ok_or("a rule without IpProtocol")?;
    let name = match protocol.as_str() {
        Some(text) => text.to_owned(),
        None => protocol.to_string(),
    };
    let protocol = match name.as_str() {
        "-1" | "all" => return Ok(Traffic::all()),
        "tcp" | "6" => Protocol::Tcp,
        "udp" | "17" => Protocol::Udp,
        // The model does not distinguish types of ICMP.
        "icmp" | "1" | "icmpv6" | "58" => return Ok(Traffic::range(Protocol::Icmp, 0, u16::MAX)),
        number if number.parse::<u8>().is_ok() => {
            return Ok(Traffic::range(Protocol::Other, 0, u16::MAX));
        }
        other => return Err(format!("{other} is not a protocol")),
    };
    let port = |name| rule.get(name).and_then(port);
    match (port("FromPort"), port("ToPort")) {
        (Some(first), Some(last)) if first <= last => Ok(Traffic::range(protocol, first, last)),
        _ => Err("the ports cannot be read".to_owned()),
    }
}
