//! Security groups: who may open a connection to their members, and to whom these may.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;
use serde_json::Value;

use super::listed::S3_PREFIX_LISTS;
use super::place::Cover;
use super::place::Place;
use super::place::Sure;
use super::place::is_loopback;
use super::read::Findings;
use super::read::id;
use super::read::number;
use super::traffic::Protocol;
use super::traffic::Traffic;
use crate::Architecture;
use crate::Resource;

/// A security group with all its rules, inline and of their own.
#[derive(Debug, Default)]
pub(crate) struct Group<'a> {
    pub(crate) ingress: Vec<Rule<'a>>,
    pub(crate) egress: Vec<Rule<'a>>,
}

/// One rule: whom it lets talk, and about what.
#[derive(Debug)]
pub(crate) struct Rule<'a> {
    pub(crate) peer: Peer<'a>,
    pub(crate) traffic: Traffic,
}

/// The other side of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer<'a> {
    Group(&'a str),
    Block(Ipv4Net),
    PrefixList(&'a str),
}

/// Which way a rule looks.
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
    /// Whether it means a member of these groups, behind this prefix list, at this place.
    pub(crate) fn is(
        self,
        groups: &[&str],
        prefix_list: Option<&str>,
        place: Place,
        sure: Sure,
    ) -> bool {
        match self {
            Self::Group(id) => groups.contains(&id),
            Self::PrefixList(id) => prefix_list == Some(id),
            Self::Block(block) => Cover::of(block, place).is_enough(sure),
        }
    }

    /// Whether it names the machine itself, so that the rule lets nothing pass.
    pub(crate) fn is_nobody(self) -> bool {
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
    findings: &mut Findings,
) -> BTreeMap<&'a str, Group<'a>> {
    let mut groups = BTreeMap::new();
    for resource in architecture.of_kind("AWS::EC2::SecurityGroup") {
        let ingress = inline(
            resource,
            "SecurityGroupIngress",
            Direction::Ingress,
            findings,
        );
        let mut egress = inline(resource, "SecurityGroupEgress", Direction::Egress, findings);
        if egress.is_empty() {
            // EC2's own rule, which stands until a rule in the template takes its place.
            egress.push(Rule {
                peer: Peer::Block(Ipv4Net::default()),
                traffic: Traffic::everything(),
            });
        }
        groups.insert(resource.id, Group { ingress, egress });
    }
    for direction in [Direction::Ingress, Direction::Egress] {
        let kind = match direction {
            Direction::Ingress => "AWS::EC2::SecurityGroupIngress",
            Direction::Egress => "AWS::EC2::SecurityGroupEgress",
        };
        for resource in architecture.of_kind(kind) {
            add(resource, direction, &mut groups, findings);
        }
    }
    for (name, group) in &groups {
        for rule in group.ingress.iter().chain(&group.egress) {
            if let Some(what) = stranger(rule.peer, &groups) {
                findings.note(name, what);
            }
        }
    }
    groups
}

/// What is not known of the other side of a rule.
fn stranger(peer: Peer<'_>, groups: &BTreeMap<&str, Group<'_>>) -> Option<String> {
    let known = match peer {
        Peer::Group(other) => groups.contains_key(other),
        Peer::PrefixList(other) => S3_PREFIX_LISTS.iter().any(|(_, list)| *list == other),
        Peer::Block(_) => true,
    };
    (!known).then(|| format!("{peer:?} is nobody that the model knows"))
}

fn add<'a>(
    resource: Resource<'a>,
    direction: Direction,
    groups: &mut BTreeMap<&'a str, Group<'a>>,
    findings: &mut Findings,
) {
    let owner = findings.id(resource, "GroupId");
    let Some(group) = owner.and_then(|owner| groups.get_mut(owner)) else {
        findings.note(resource.id, "GroupId is no security group of ours");
        return;
    };
    let Some(properties) = resource.whole.get("Properties") else {
        return;
    };
    match rule(properties, direction) {
        Ok(rule) => match direction {
            Direction::Ingress => group.ingress.push(rule),
            Direction::Egress => group.egress.push(rule),
        },
        Err(what) => findings.note(resource.id, what),
    }
}

fn inline<'a>(
    resource: Resource<'a>,
    property: &str,
    direction: Direction,
    findings: &mut Findings,
) -> Vec<Rule<'a>> {
    let Some(value) = resource.property(property) else {
        return Vec::new();
    };
    let Some(items) = value.as_array() else {
        findings.note(resource.id, format!("{property} is no list"));
        return Vec::new();
    };
    let mut rules = Vec::new();
    for item in items {
        match rule(item, direction) {
            Ok(rule) => rules.push(rule),
            Err(what) => findings.note(resource.id, format!("{property}: {what}")),
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
            other => return Err(format!("the model does not know {other} of a rule")),
        };
        peers.push(peer.ok_or_else(|| format!("{name} can't be understood: {value}"))?);
    }
    match peers.as_slice() {
        [peer] => Ok(Rule {
            peer: *peer,
            traffic: traffic(value)?,
        }),
        _ => Err("a rule that names not exactly one other side".to_owned()),
    }
}

fn traffic(rule: &Value) -> Result<Traffic, String> {
    let protocol = rule.get("IpProtocol").ok_or("a rule without IpProtocol")?;
    let name = match protocol.as_str() {
        Some(text) => text.to_owned(),
        None => protocol.to_string(),
    };
    let protocol = match name.as_str() {
        "-1" | "all" => return Ok(Traffic::everything()),
        "tcp" | "6" => Protocol::Tcp,
        "udp" | "17" => Protocol::Udp,
        // Kinds of ICMP are not told apart.
        "icmp" | "1" | "icmpv6" | "58" => return Ok(Traffic::of(Protocol::Icmp, 0, u16::MAX)),
        number if number.parse::<u8>().is_ok() => {
            return Ok(Traffic::of(Protocol::Other, 0, u16::MAX));
        }
        other => return Err(format!("{other} is no protocol")),
    };
    let port = |name| rule.get(name).and_then(port);
    match (port("FromPort"), port("ToPort")) {
        (Some(first), Some(last)) if first <= last => Ok(Traffic::of(protocol, first, last)),
        _ => Err("ports that can't be understood".to_owned()),
    }
}

/// A port, however a template writes it.
pub(crate) fn port(value: &Value) -> Option<u16> {
    number(value).and_then(|port| u16::try_from(port).ok())
}
