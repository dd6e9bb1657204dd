//! Nothing is allowed that no listed flow uses.

use ipnet::Ipv4Net;

use super::Judged;
use crate::reach::acl::Entry;
use crate::reach::border::directed;
use crate::reach::border::wanted;
use crate::reach::group::Direction;
use crate::reach::group::Peer;
use crate::reach::group::Rule;
use crate::reach::model::Model;
use crate::reach::network::Subnet;
use crate::reach::node::Node;
use crate::reach::node::Role;
use crate::reach::place::Cover;
use crate::reach::place::Place;
use crate::reach::place::Sure;
use crate::reach::place::is_private;
use crate::reach::traffic::Traffic;

pub(super) fn excess(judged: &Judged<'_, '_>) -> Vec<String> {
    let model = judged.model;
    let mut faults = Vec::new();
    for direction in [Direction::Ingress, Direction::Egress] {
        for (id, group) in &model.groups {
            let rules = group
                .rules(direction)
                .iter()
                .filter(|rule| !rule.peer.is_nobody());
            for rule in rules {
                let needed = needed_of_group(model, id, direction, rule);
                let excess = rule.traffic.but(&needed);
                if !excess.is_empty() {
                    faults.push(format!(
                        "{id}: {direction:?} of {rule} is wider than needed: {excess}"
                    ));
                }
                if let Peer::Block(block) = rule.peer {
                    let members: Vec<&Node<'_>> = members(model, id).collect();
                    faults.extend(crowd(model, id, block, &members, direction));
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

/// What listed flows need of a rule. An address that is not private means the internet, whoever
/// else it might mean.
fn needed_of_group(model: &Model<'_>, id: &str, direction: Direction, rule: &Rule<'_>) -> Traffic {
    let meant = |node: &&Node<'_>| match rule.peer {
        Peer::Group(group) => node.has_group(group),
        Peer::PrefixList(list) => node.prefix_list == Some(list),
        Peer::Block(block) if is_private(block) => model
            .subnets_of(node)
            .iter()
            .any(|subnet| Cover::of(block, Place::Subnet(subnet.block)).is_enough(Sure::Possible)),
        Peer::Block(_) => node.role == Role::Internet,
    };
    let mut needed = Traffic::nothing();
    for owner in members(model, id) {
        for peer in model.nodes.iter().filter(meant) {
            needed = needed.and(&directed(owner, peer, direction));
        }
    }
    needed
}

/// Subnets that a block of private addresses takes in although nobody in them is meant.
fn crowd(
    model: &Model<'_>,
    id: &str,
    block: Ipv4Net,
    members: &[&Node<'_>],
    direction: Direction,
) -> Vec<String> {
    let covered = model.inhabited().filter(|subnet| {
        let place = Place::Subnet(subnet.block);
        is_private(block) && Cover::of(block, place).is_enough(Sure::Possible)
    });
    let unmeant = covered.filter(|subnet| {
        let mut peers = model
            .nodes
            .iter()
            .filter(|node| node.subnets.contains(&subnet.id));
        !peers.any(|peer| {
            let mut owners = members.iter();
            owners.any(|owner| !directed(owner, peer, direction).is_empty())
        })
    });
    unmeant
        .map(|subnet| format!("{id}: {block} takes in {}", subnet.id))
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
    let wanted = |place: Place| {
        let each = own
            .iter()
            .map(|subnet| wanted(model, subnet, direction, place));
        each.fold(Traffic::nothing(), |all, one| all.and(&one))
    };
    let others = model.inhabited().map(|subnet| Place::Subnet(subnet.block));
    let meant: Vec<Place> = if is_private(entry.block) {
        let meant = |place: &Place| Cover::of(entry.block, *place).is_enough(Sure::Possible);
        others.filter(meant).collect()
    } else {
        vec![Place::Public]
    };
    let each: Vec<Traffic> = meant.into_iter().map(wanted).collect();
    let Entry {
        id: name, traffic, ..
    } = entry;
    if each.is_empty() || each.iter().any(Traffic::is_empty) {
        return vec![format!(
            "{name}: takes in places from which and to which nothing is listed"
        )];
    }
    let needed = each
        .into_iter()
        .fold(Traffic::nothing(), |all, one| all.and(&one));
    let excess = traffic.but(&needed);
    if excess.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "{name}: {direction:?} of {traffic} is wider than needed: {excess}"
    )]
}
