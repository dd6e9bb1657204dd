//! Network ACLs: the traffic that may enter and leave a subnet. ACLs are stateless, so responses need entries too.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;
use serde_json::Value;

use super::addresses::AddressRange;
use super::addresses::Coverage;
use super::addresses::Quantifier;
use super::diagnostics::Diagnostics;
use super::security_group::Direction;
use super::traffic::Protocol;
use super::traffic::Traffic;
use super::values::number;
use super::values::port;
use crate::architecture::Architecture;
use crate::architecture::Resource;

/// A network ACL, with its entries in order of evaluation.
#[derive(Debug, Default)]
pub(crate) struct Acl<'a> {
    pub(crate) ingress: Vec<Entry<'a>>,
    pub(crate) egress: Vec<Entry<'a>>,
}

/// An entry. The first one that matches a packet decides.
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

    /// The traffic that passes from or to a range of addresses. Without a matching entry, traffic is denied.
    pub(crate) fn passing(
        &self,
        direction: Direction,
        range: AddressRange,
        quantifier: Quantifier,
    ) -> Traffic {
        let mut passes = Traffic::none();
        let mut undecided = Traffic::all();
        for entry in self.entries(direction) {
            let coverage = Coverage::of(entry.block, range);
            if entry.allows && coverage.is_enough(quantifier) {
                passes = passes.union(&undecided.intersection(&entry.traffic));
            }
            let decided = match (entry.allows, quantifier) {
                // Denying a part of the addresses leaves traffic from the others possible, but not guaranteed for all.
                (false, Quantifier::ForAll) => coverage != Coverage::None,
                _ => coverage == Coverage::Full,
            };
            if decided {
                undecided = undecided.difference(&entry.traffic);
            }
        }
        passes
    }
}

/// All network ACLs of the document.
pub(crate) fn acls<'a>(
    architecture: &'a Architecture,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<&'a str, Acl<'a>> {
    let mut acls: BTreeMap<&str, Acl<'_>> = architecture
        .of_type("AWS::EC2::NetworkAcl")
        .map(|resource| (resource.id, Acl::default()))
        .collect();
    for resource in architecture.of_type("AWS::EC2::NetworkAclEntry") {
        diagnostics.allow_only(
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
        let owner = diagnostics.id(resource, "NetworkAclId");
        let Some(acl) = owner.and_then(|owner| acls.get_mut(owner)) else {
            diagnostics.note(
                resource.id,
                "NetworkAclId is not a network ACL of these templates",
            );
            continue;
        };
        let entries = if diagnostics.boolean(resource, "Egress").unwrap_or(false) {
            &mut acl.egress
        } else {
            &mut acl.ingress
        };
        match entry(resource) {
            Ok(entry) if entries.iter().any(|other| other.number == entry.number) => {
                diagnostics.note(resource.id, "a second entry with this number");
            }
            Ok(entry) => entries.push(entry),
            Err(what) => diagnostics.note(resource.id, what),
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
    let block: Ipv4Net = block.ok_or("CidrBlock is not a block of IPv4 addresses")?;
    let allows = match resource.text("RuleAction") {
        Some("allow") => true,
        Some("deny") => false,
        _ => return Err("RuleAction must be allow or deny".to_owned()),
    };
    let protocol = number("Protocol").ok_or("Protocol is not a number")?;
    let traffic = match protocol {
        -1 => Traffic::all(),
        6 => ports(resource, Protocol::Tcp)?,
        17 => ports(resource, Protocol::Udp)?,
        1 | 58 => Traffic::range(Protocol::Icmp, 0, u16::MAX),
        _ => Traffic::range(Protocol::Other, 0, u16::MAX),
    };
    // The model has one kind of ICMP and one of other protocols: an entry that denies a part of them has no equivalent.
    let coarse = traffic.of_protocol(Protocol::Tcp).is_empty()
        && traffic.of_protocol(Protocol::Udp).is_empty();
    if coarse && !allows {
        return Err(
            "the model does not support denying single protocols other than TCP and UDP".to_owned(),
        );
    }
    Ok(Entry {
        id: resource.id,
        number: number("RuleNumber").ok_or("RuleNumber is not a number")?,
        allows,
        block: block.trunc(),
        traffic,
    })
}

fn ports(resource: Resource<'_>, protocol: Protocol) -> Result<Traffic, String> {
    let bound = |name| {
        resource
            .property("PortRange")
            .and_then(|range: &Value| port(range.get(name)?))
    };
    match (bound("From"), bound("To")) {
        (Some(first), Some(last)) if first <= last => Ok(Traffic::range(protocol, first, last)),
        _ => Err("PortRange cannot be read".to_owned()),
    }
}

/// The network ACL or the route table of each subnet, from the associations of a type.
pub(crate) fn associations<'a>(
    architecture: &'a Architecture,
    kind: &'static str,
    what: &str,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<&'a str, &'a str> {
    let mut found = BTreeMap::new();
    for resource in architecture
        .resources()
        .filter(|resource| resource.resource_type == kind)
    {
        let pair = (
            diagnostics.id(resource, "SubnetId"),
            diagnostics.id(resource, what),
        );
        if let (Some(subnet), Some(other)) = pair
            && found.insert(subnet, other).is_some()
        {
            diagnostics.note(resource.id, "a second association of this subnet");
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

    fn passes(entries: Vec<Entry<'static>>, quantifier: Quantifier) -> String {
        let acl = Acl {
            ingress: entries,
            egress: Vec::new(),
        };
        let range = AddressRange::Subnet("10.0.16.0/20".parse().unwrap());
        acl.passing(Direction::Ingress, range, quantifier)
            .to_string()
    }

    #[test]
    fn the_first_entry_that_matches_decides() {
        let refusal = || entry(1, false, "10.0.0.0/16", Traffic::tcp(22));
        let all = || entry(2, true, "0.0.0.0/0", Traffic::range(Protocol::Tcp, 20, 23));
        let left = "tcp 20-21 and 23";
        assert_eq!(passes(vec![refusal(), all()], Quantifier::Exists), left);
        assert_eq!(
            passes(vec![all(), refusal()], Quantifier::Exists),
            "tcp 20-23"
        );
        assert_eq!(passes(vec![refusal()], Quantifier::Exists), "nothing");
    }

    #[test]
    fn a_part_of_a_subnet_passes_possibly_and_not_certainly() {
        let part = || entry(1, true, "10.0.16.0/24", Traffic::tcp(443));
        assert_eq!(passes(vec![part()], Quantifier::Exists), "tcp 443");
        assert_eq!(passes(vec![part()], Quantifier::ForAll), "nothing");
        let refusal = || entry(1, false, "10.0.16.0/24", Traffic::all());
        let all = || entry(2, true, "10.0.0.0/16", Traffic::tcp(443));
        assert_eq!(
            passes(vec![refusal(), all()], Quantifier::Exists),
            "tcp 443"
        );
        assert_eq!(
            passes(vec![refusal(), all()], Quantifier::ForAll),
            "nothing"
        );
    }
}
