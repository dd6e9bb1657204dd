//! Network ACLs: what may enter and leave a subnet. They remember no connection, so that answers
//! need entries of their own.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;
use serde_json::Value;

use super::group::Direction;
use super::group::port;
use super::place::Cover;
use super::place::Place;
use super::place::Sure;
use super::read::Findings;
use super::read::number;
use super::traffic::Protocol;
use super::traffic::Traffic;
use crate::Architecture;
use crate::Resource;

/// A network ACL, its entries in the order in which they are asked.
#[derive(Debug, Default)]
pub(crate) struct Acl<'a> {
    pub(crate) ingress: Vec<Entry<'a>>,
    pub(crate) egress: Vec<Entry<'a>>,
}

/// One entry. The first that fits a packet decides.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) id: &'a str,
    number: i64,
    pub(crate) allows: bool,
    pub(crate) block: Ipv4Net,
    pub(crate) traffic: Traffic,
}

impl<'a> Acl<'a> {
    pub(crate) fn entries(&self, direction: Direction) -> &[Entry<'a>] {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }

    /// What passes from or to a place; what no entry decides does not.
    pub(crate) fn lets_pass(&self, direction: Direction, place: Place, sure: Sure) -> Traffic {
        let mut passes = Traffic::nothing();
        let mut undecided = Traffic::everything();
        for entry in self.entries(direction) {
            let cover = Cover::of(entry.block, place);
            if entry.allows && cover.is_enough(sure) {
                passes = passes.and(&undecided.common(&entry.traffic));
            }
            let decided = match (entry.allows, sure) {
                // A refusal of some addresses leaves the others possible, and none certain.
                (false, Sure::Certain) => cover != Cover::Nothing,
                _ => cover == Cover::Whole,
            };
            if decided {
                undecided = undecided.but(&entry.traffic);
            }
        }
        passes
    }
}

/// All network ACLs of the document.
pub(crate) fn acls<'a>(
    architecture: &'a Architecture,
    findings: &mut Findings,
) -> BTreeMap<&'a str, Acl<'a>> {
    let mut acls: BTreeMap<&str, Acl<'_>> = architecture
        .of_kind("AWS::EC2::NetworkAcl")
        .map(|resource| (resource.id, Acl::default()))
        .collect();
    for resource in architecture.of_kind("AWS::EC2::NetworkAclEntry") {
        findings.expect_only(
            resource,
            &[
                "NetworkAclId",
                "RuleNumber",
                "Protocol",
                "RuleAction",
                "Egress",
                "CidrBlock",
                "PortRange",
                "Icmp",
            ],
        );
        let owner = findings.id(resource, "NetworkAclId");
        let Some(acl) = owner.and_then(|owner| acls.get_mut(owner)) else {
            findings.note(resource.id, "NetworkAclId is no network ACL of ours");
            continue;
        };
        let entries = if findings.truth(resource, "Egress").unwrap_or(false) {
            &mut acl.egress
        } else {
            &mut acl.ingress
        };
        match entry(resource) {
            Ok(entry) if entries.iter().any(|other| other.number == entry.number) => {
                findings.note(resource.id, "a second entry of this number");
            }
            Ok(entry) => entries.push(entry),
            Err(what) => findings.note(resource.id, what),
        }
    }
    for acl in acls.values_mut() {
        acl.ingress.sort_by_key(|entry| entry.number);
        acl.egress.sort_by_key(|entry| entry.number);
    }
    acls
}

fn entry(resource: Resource<'_>) -> Result<Entry<'_>, String> {
    let number = |path| resource.property(path).and_then(number);
    let block = resource
        .text("CidrBlock")
        .and_then(|text| text.parse().ok());
    let block: Ipv4Net = block.ok_or("CidrBlock is no block of IPv4 addresses")?;
    let allows = match resource.text("RuleAction") {
        Some("allow") => true,
        Some("deny") => false,
        _ => return Err("RuleAction is neither allow nor deny".to_owned()),
    };
    let protocol = number("Protocol").ok_or("Protocol is no number")?;
    let traffic = match protocol {
        -1 => Traffic::everything(),
        6 => ports(resource, Protocol::Tcp)?,
        17 => ports(resource, Protocol::Udp)?,
        1 | 58 => Traffic::of(Protocol::Icmp, 0, u16::MAX),
        _ => Traffic::of(Protocol::Other, 0, u16::MAX),
    };
    // A refusal of one kind of ICMP, or of one other protocol, is none of all of them.
    let blunt = traffic.only(Protocol::Tcp).is_empty() && traffic.only(Protocol::Udp).is_empty();
    if blunt && !allows {
        return Err("the model does not refuse single protocols other than TCP and UDP".to_owned());
    }
    Ok(Entry {
        id: resource.id,
        number: number("RuleNumber").ok_or("RuleNumber is no number")?,
        allows,
        block: block.trunc(),
        traffic,
    })
}

fn ports(resource: Resource<'_>, protocol: Protocol) -> Result<Traffic, String> {
    let range = |name| {
        resource
            .property("PortRange")
            .and_then(|range: &Value| port(range.get(name)?))
    };
    match (range("From"), range("To")) {
        (Some(first), Some(last)) if first <= last => Ok(Traffic::of(protocol, first, last)),
        _ => Err("PortRange can't be understood".to_owned()),
    }
}

/// Which network ACL, or which route table, each subnet has.
pub(crate) fn associations<'a>(
    architecture: &'a Architecture,
    kind: &'static str,
    what: &str,
    findings: &mut Findings,
) -> BTreeMap<&'a str, &'a str> {
    let mut found = BTreeMap::new();
    for resource in architecture
        .resources()
        .filter(|resource| resource.kind == kind)
    {
        let pair = (
            findings.id(resource, "SubnetId"),
            findings.id(resource, what),
        );
        if let (Some(subnet), Some(other)) = pair
            && found.insert(subnet, other).is_some()
        {
            findings.note(resource.id, "a second association of this subnet");
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: i64, allows: bool, block: &str, traffic: Traffic) -> Entry<'static> {
        Entry {
            id: "Entry",
            number,
            allows,
            block: block.parse().unwrap(),
            traffic,
        }
    }

    fn passes(entries: Vec<Entry<'static>>, sure: Sure) -> String {
        let acl = Acl {
            ingress: entries,
            egress: Vec::new(),
        };
        let place = Place::Subnet("10.0.16.0/20".parse().unwrap());
        acl.lets_pass(Direction::Ingress, place, sure).to_string()
    }

    #[test]
    fn the_first_entry_that_fits_decides() {
        let refusal = || entry(1, false, "10.0.0.0/16", Traffic::tcp(22));
        let all = || entry(2, true, "0.0.0.0/0", Traffic::of(Protocol::Tcp, 20, 23));
        let left = "tcp 20-21 and 23";
        assert_eq!(passes(vec![refusal(), all()], Sure::Possible), left);
        assert_eq!(passes(vec![all(), refusal()], Sure::Possible), "tcp 20-23");
        assert_eq!(passes(vec![refusal()], Sure::Possible), "nothing");
    }

    #[test]
    fn a_part_of_a_subnet_can_get_through_and_cannot_be_relied_on() {
        let part = || entry(1, true, "10.0.16.0/24", Traffic::tcp(443));
        assert_eq!(passes(vec![part()], Sure::Possible), "tcp 443");
        assert_eq!(passes(vec![part()], Sure::Certain), "nothing");
        let refusal = || entry(1, false, "10.0.16.0/24", Traffic::everything());
        let all = || entry(2, true, "10.0.0.0/16", Traffic::tcp(443));
        assert_eq!(passes(vec![refusal(), all()], Sure::Possible), "tcp 443");
        assert_eq!(passes(vec![refusal(), all()], Sure::Certain), "nothing");
    }
}
