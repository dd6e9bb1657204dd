//! The traffic that one node can open to another: routes, security groups and network ACLs together.

use super::addresses::AddressRange;
use super::addresses::Quantifier;
use super::allowed_flows::response_ports;
use super::model::Model;
use super::network::Subnet;
use super::node::Node;
use super::node::Role;
use super::security_group::Direction;
use super::traffic::Protocol;
use super::traffic::Traffic;

/// The filters to evaluate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filters {
    /// Security groups and network ACLs, as deployed.
    GroupsAndAcls,
    /// Security groups, as if every network ACL allowed everything.
    GroupsOnly,
}

/// An end of a connection: a node in one of its subnets; without a subnet, the node has public addresses.
type End<'m, 'a> = (&'m Node<'a>, Option<&'m Subnet<'a>>);

/// The traffic that a node can open to another. A node is a group of machines: from a node to itself, the traffic between
/// its machines.
pub(crate) fn open_traffic(
    model: &Model<'_>,
    from: &Node<'_>,
    to: &Node<'_>,
    filters: Filters,
    quantifier: Quantifier,
) -> Traffic {
    if !from.opens_connections() {
        return Traffic::none();
    }
    let mut pairs = Vec::new();
    for source in ends(model, from) {
        for target in ends(model, to) {
            pairs.push(traffic_between(model, source, target, filters, quantifier));
        }
    }
    let all = pairs.into_iter().reduce(|all, one| match quantifier {
        Quantifier::Exists => all.union(&one),
        Quantifier::ForAll => all.intersection(&one),
    });
    all.unwrap_or_default()
}

fn ends<'m, 'a>(model: &'m Model<'a>, node: &'m Node<'a>) -> Vec<End<'m, 'a>> {
    if node.subnets.is_empty() {
        return vec![(node, None)];
    }
    let subnets = model.subnets_of(node).into_iter();
    subnets.map(|subnet| (node, Some(subnet))).collect()
}

fn traffic_between(
    model: &Model<'_>,
    from: End<'_, '_>,
    to: End<'_, '_>,
    filters: Filters,
    quantifier: Quantifier,
) -> Traffic {
    if !has_route(from, to) {
        return Traffic::none();
    }
    let target = addresses(to);
    let passing = sources(model, from, to).into_iter().map(|source| {
        let groups = through_groups(model, (from.0, source), (to.0, target), quantifier);
        match filters {
            Filters::GroupsOnly => groups,
            Filters::GroupsAndAcls => {
                let acls = through_acls(model, (from.1, source), (to.1, target), quantifier);
                groups.intersection(&acls)
            }
        }
    });
    let all = passing.reduce(|all, one| match quantifier {
        Quantifier::Exists => all.union(&one),
        Quantifier::ForAll => all.intersection(&one),
    });
    all.unwrap_or_default()
}

/// Whether there is a route.
fn has_route(from: End<'_, '_>, to: End<'_, '_>) -> bool {
    let outward = |end: End<'_, '_>| {
        let is_in_another_network = end.0.role == Role::ImageBuilder;
        end.0.public && (is_in_another_network || end.1.is_some_and(|subnet| subnet.internet))
    };
    match (from.0.role, to.0.role) {
        (Role::Internet, Role::Internet | Role::GatewayEndpoint) => false,
        (Role::Internet, _) => outward(to),
        (_, Role::Internet) => outward(from),
        (_, Role::GatewayEndpoint) => from
            .1
            .is_some_and(|subnet| to.0.route_tables.contains(&subnet.route_table)),
        _ => match (from.1, to.1) {
            (Some(from), Some(to)) => from.vpc == to.vpc,
            // A machine in another network reaches ours only through the internet.
            (None, Some(_)) => outward(to),
            _ => false,
        },
    }
}

fn addresses(end: End<'_, '_>) -> AddressRange {
    end.1.map_or(AddressRange::Public, |subnet| {
        AddressRange::Subnet(subnet.block)
    })
}

/// The source addresses that the target sees. A network load balancer sends health checks from its own addresses, and
/// forwards connections with the addresses of its clients.
fn sources(model: &Model<'_>, from: End<'_, '_>, to: End<'_, '_>) -> Vec<AddressRange> {
    let mut ranges = vec![addresses(from)];
    if from.0.preserves_client_ip && to.0.role == Role::App {
        ranges.extend(clients(model));
    }
    ranges
}

/// The addresses of the clients of the internal load balancers.
pub(crate) fn clients(model: &Model<'_>) -> Vec<AddressRange> {
    let web = model.nodes.iter().filter(|node| node.role == Role::Web);
    web.flat_map(|node| model.subnets_of(node))
        .map(|subnet| AddressRange::Subnet(subnet.block))
        .collect()
}

fn through_groups(
    model: &Model<'_>,
    from: (&Node<'_>, AddressRange),
    to: (&Node<'_>, AddressRange),
    quantifier: Quantifier,
) -> Traffic {
    let egress = by_groups(model, from.0, Direction::Egress, to, quantifier);
    egress.intersection(&by_groups(
        model,
        to.0,
        Direction::Ingress,
        from,
        quantifier,
    ))
}

fn by_groups(
    model: &Model<'_>,
    member: &Node<'_>,
    direction: Direction,
    peer: (&Node<'_>, AddressRange),
    quantifier: Quantifier,
) -> Traffic {
    let Some(groups) = &member.groups else {
        return Traffic::all();
    };
    let peers_groups = peer.0.groups.as_deref().unwrap_or_default();
    let groups = groups.iter().filter_map(|group| model.groups.get(group));
    groups
        .flat_map(|group| group.rules(direction))
        .filter(|rule| {
            rule.peer
                .matches(peers_groups, peer.0.prefix_list, peer.1, quantifier)
        })
        .fold(Traffic::none(), |all, rule| all.union(&rule.traffic))
}

fn through_acls(
    model: &Model<'_>,
    from: (Option<&Subnet<'_>>, AddressRange),
    to: (Option<&Subnet<'_>>, AddressRange),
    quantifier: Quantifier,
) -> Traffic {
    let same = from.0.map(|subnet| subnet.id) == to.0.map(|subnet| subnet.id);
    let own = from
        .0
        .is_some_and(|subnet| AddressRange::Subnet(subnet.block) == from.1);
    // ACLs do not filter within a subnet. AWS does not document whether they do for a client address that a load
    // balancer preserves, so both are assumed: the ACL must allow it, and a prohibition cannot rely on it.
    if same && (own || quantifier == Quantifier::Exists) {
        return Traffic::all();
    }
    let passes = |subnet: Option<&Subnet<'_>>, direction, range| {
        let acl = subnet.and_then(|subnet| model.acls.get(subnet.acl?));
        acl.map_or_else(Traffic::all, |acl| {
            acl.passing(direction, range, quantifier)
        })
    };
    let requests = passes(from.0, Direction::Egress, to.1).intersection(&passes(
        to.0,
        Direction::Ingress,
        from.1,
    ));
    let responses = passes(to.0, Direction::Egress, from.1).intersection(&passes(
        from.0,
        Direction::Ingress,
        to.1,
    ));
    let has_responses = match quantifier {
        // An attacker chooses the source port.
        Quantifier::Exists => !responses.of_protocol(Protocol::Tcp).is_empty(),
        Quantifier::ForAll => response_ports().is_subset(&responses),
    };
    if has_responses {
        requests
    } else {
        requests.difference(&requests.of_protocol(Protocol::Tcp))
    }
}
