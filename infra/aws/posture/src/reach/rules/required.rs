//! The rule that filters allow no more than the allowed flows require.

use ipnet::Ipv4Net;

use super::Evaluation;
use crate::reach::acl::Entry;
use crate::reach::addresses::AddressRange;
use crate::reach::addresses::Coverage;
use crate::reach::addresses::Quantifier;
use crate::reach::addresses::is_private;
use crate::reach::model::Model;
use crate::reach::network::Subnet;
use crate::reach::node::Node;
use crate::reach::node::Role;
use crate::reach::security_group::Direction;
use crate::reach::security_group::Peer;
use crate::reach::security_group::Rule;
use crate::reach::subnet_boundary::allowed_at_boundary;
use crate::reach::subnet_boundary::allowed_in_direction;
use crate::reach::traffic::Traffic;

pub(super) fn excess(evaluation: &Evaluation<'_, '_>) -> Vec<String> {
    let model = evaluation.model;
    let mut faults = Vec::new();
    for direction in [Direction::Ingress, Direction::Egress] {
        for (id, group) in &model.groups {
            let rules = group
                .rules(direction)
                .iter()
                .filter(|rule| !rule.peer.is_loopback_only());
            for rule in rules {
                let required = required_of_group(model, id, direction, rule);
                let excess = rule.traffic.difference(&required);
                if !excess.is_empty() {
                    faults.push(format!(
                        "{id}: {direction:?} of {rule} is wider than required: {excess}"
                    ));
                }
                if let Peer::Block(block) = rule.peer {
                    let members: Vec<&Node<'_>> = members(model, id).collect();
                    faults.extend(excess_subnets(model, id, block, &members, direction));
                }
            }
        }
        for (id, acl) in &model.acls {
            for entry in acl.entries(direction).iter().filter(|entry| entry.allows) {
                faults.extend(entry_excess(model, id, direction, entry));
            }
        }
    }
    faults
}

fn members<'m, 'a>(model: &'m Model<'a>, group: &str) -> impl Iterator<Item = &'m Node<'a>> {
    model.nodes.iter().filter(move |node| node.has_group(group))
}

/// The traffic of a rule that allowed flows require. A block that is not private stands for the internet.
fn required_of_group(
    model: &Model<'_>,
    id: &str,
    direction: Direction,
    rule: &Rule<'_>,
) -> Traffic {
    let is_peer = |node: &&Node<'_>| match rule.peer {
        Peer::Group(group) => node.has_group(group),
        Peer::PrefixList(list) => node.prefix_list == Some(list),
        Peer::Block(block) if is_private(block) => model.subnets_of(node).iter().any(|subnet| {
            Coverage::of(block, AddressRange::Subnet(subnet.block)).is_enough(Quantifier::Exists)
        }),
        Peer::Block(_) => node.role == Role::Internet,
    };
    let mut required = Traffic::none();
    for owner in members(model, id) {
        for peer in model.nodes.iter().filter(is_peer) {
            required = required.union(&allowed_in_direction(owner, peer, direction));
        }
    }
    required
}

/// The subnets that a block of private addresses covers, although no node in them has an allowed flow.
fn excess_subnets(
    model: &Model<'_>,
    id: &str,
    block: Ipv4Net,
    members: &[&Node<'_>],
    direction: Direction,
) -> Vec<String> {
    let covered = model.occupied().filter(|subnet| {
        let range = AddressRange::Subnet(subnet.block);
        is_private(block) && Coverage::of(block, range).is_enough(Quantifier::Exists)
    });
    let without_flow = covered.filter(|subnet| {
        let mut peers = model
            .nodes
            .iter()
            .filter(|node| node.subnets.contains(&subnet.id));
        !peers.any(|peer| {
            let mut owners = members.iter();
            owners.any(|owner| !allowed_in_direction(owner, peer, direction).is_empty())
        })
    });
    without_flow
        .map(|subnet| format!("{id}: {block} covers {}", subnet.id))
        .collect()
}

fn entry_excess(
    model: &Model<'_>,
    id: &str,
    direction: Direction,
    entry: &Entry<'_>,
) -> Vec<String> {
    let own = model
        .subnets
        .values()
        .filter(|subnet| subnet.acl == Some(id));
    let own: Vec<&Subnet<'_>> = own.collect();
    let required_for = |range: AddressRange| {
        let each = own
            .iter()
            .map(|subnet| allowed_at_boundary(model, subnet, direction, range));
        each.fold(Traffic::none(), |all, one| all.union(&one))
    };
    let others = model
        .occupied()
        .map(|subnet| AddressRange::Subnet(subnet.block));
    let ranges: Vec<AddressRange> = if is_private(entry.block) {
        let is_covered =
            |range: &AddressRange| Coverage::of(entry.block, *range).is_enough(Quantifier::Exists);
        others.filter(is_covered).collect()
    } else {
        vec![AddressRange::Public]
    };
    let each: Vec<Traffic> = ranges.into_iter().map(required_for).collect();
    let Entry {
        id: name, traffic, ..
    } = entry;
    if each.is_empty() || each.iter().any(Traffic::is_empty) {
        return vec![format!("{name}: covers addresses without an allowed flow")];
    }
    let required = each
        .into_iter()
        .fold(Traffic::none(), |all, one| all.union(&one));
    let excess = traffic.difference(&required);
    if excess.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "{name}: {direction:?} of {traffic} is wider than required: {excess}"
    )]
}
