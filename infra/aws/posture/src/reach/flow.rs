//! What can flow from one node to another: routes, security groups and network ACLs together.

use super::group::Direction;
use super::listed::answers;
use super::model::Model;
use super::network::Subnet;
use super::node::Node;
use super::node::Role;
use super::place::Place;
use super::place::Sure;
use super::traffic::Protocol;
use super::traffic::Traffic;

/// Which walls stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Walls {
    /// Security groups and network ACLs, as deployed.
    Both,
    /// As though every ACL let everything pass.
    GroupsAlone,
}

/// One end of a flow: a node in one of its subnets; without a subnet it is at public addresses.
type End<'m, 'a> = (&'m Node<'a>, Option<&'m Subnet<'a>>);

/// What a node can open to another, of itself or of others like it.
pub(crate) fn flow(
    model: &Model<'_>,
    from: &Node<'_>,
    to: &Node<'_>,
    walls: Walls,
    sure: Sure,
) -> Traffic {
    if !from.opens_connections() {
        return Traffic::nothing();
    }
    let mut pairs = Vec::new();
    for source in ends(model, from) {
        for target in ends(model, to) {
            pairs.push(between(model, source, target, walls, sure));
        }
    }
    let all = pairs.into_iter().reduce(|all, one| match sure {
        Sure::Possible => all.and(&one),
        Sure::Certain => all.common(&one),
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

fn between(
    model: &Model<'_>,
    from: End<'_, '_>,
    to: End<'_, '_>,
    walls: Walls,
    sure: Sure,
) -> Traffic {
    if !has_route(from, to) {
        return Traffic::nothing();
    }
    let target = place(to);
    let passing = sources(model, from, to).into_iter().map(|source| {
        let groups = through_groups(model, (from.0, source), (to.0, target), sure);
        match walls {
            Walls::GroupsAlone => groups,
            Walls::Both => {
                let acls = through_acls(model, (from.1, source), (to.1, target), sure);
                groups.common(&acls)
            }
        }
    });
    let all = passing.reduce(|all, one| match sure {
        Sure::Possible => all.and(&one),
        Sure::Certain => all.common(&one),
    });
    all.unwrap_or_default()
}

/// Whether packets find their way at all.
fn has_route(from: End<'_, '_>, to: End<'_, '_>) -> bool {
    let outward = |end: End<'_, '_>| {
        let elsewhere = end.0.role == Role::Builder;
        end.0.public && (elsewhere || end.1.is_some_and(|subnet| subnet.internet))
    };
    match (from.0.role, to.0.role) {
        (Role::Internet, Role::Internet | Role::Gateway) => false,
        (Role::Internet, _) => outward(to),
        (_, Role::Internet) => outward(from),
        (_, Role::Gateway) => from
            .1
            .is_some_and(|subnet| to.0.route_tables.contains(&subnet.route_table)),
        _ => match (from.1, to.1) {
            (Some(from), Some(to)) => from.vpc == to.vpc,
            // A machine of another network finds those of ours only as the internet does.
            (None, Some(_)) => outward(to),
            _ => false,
        },
    }
}

fn place(end: End<'_, '_>) -> Place {
    end.1
        .map_or(Place::Public, |subnet| Place::Subnet(subnet.block))
}

/// The addresses that the target sees: a network load balancer asks after its targets' health under
/// its own, and hands on its clients' connections under theirs.
fn sources(model: &Model<'_>, from: End<'_, '_>, to: End<'_, '_>) -> Vec<Place> {
    let mut places = vec![place(from)];
    if from.0.shows_clients && to.0.role == Role::App {
        places.extend(clients(model));
    }
    places
}

/// Where the clients of the inner load balancers stand.
pub(crate) fn clients(model: &Model<'_>) -> Vec<Place> {
    let web = model.nodes.iter().filter(|node| node.role == Role::Web);
    web.flat_map(|node| model.subnets_of(node))
        .map(|subnet| Place::Subnet(subnet.block))
        .collect()
}

fn through_groups(
    model: &Model<'_>,
    from: (&Node<'_>, Place),
    to: (&Node<'_>, Place),
    sure: Sure,
) -> Traffic {
    let leaves = by_groups(model, from.0, Direction::Egress, to, sure);
    leaves.common(&by_groups(model, to.0, Direction::Ingress, from, sure))
}

fn by_groups(
    model: &Model<'_>,
    member: &Node<'_>,
    direction: Direction,
    peer: (&Node<'_>, Place),
    sure: Sure,
) -> Traffic {
    let Some(groups) = &member.groups else {
        return Traffic::everything();
    };
    let peers_groups = peer.0.groups.as_deref().unwrap_or_default();
    let groups = groups.iter().filter_map(|group| model.groups.get(group));
    groups
        .flat_map(|group| group.rules(direction))
        .filter(|rule| rule.peer.is(peers_groups, peer.0.prefix_list, peer.1, sure))
        .fold(Traffic::nothing(), |all, rule| all.and(&rule.traffic))
}

fn through_acls(
    model: &Model<'_>,
    from: (Option<&Subnet<'_>>, Place),
    to: (Option<&Subnet<'_>>, Place),
    sure: Sure,
) -> Traffic {
    let same = from.0.map(|subnet| subnet.id) == to.0.map(|subnet| subnet.id);
    let own = from
        .0
        .is_some_and(|subnet| Place::Subnet(subnet.block) == from.1);
    // No ACL stands within a subnet. Whether one is asked about an address that a load balancer
    // only hands on, AWS does not say: then it has to let it pass, and can't be relied on.
    if same && (own || sure == Sure::Possible) {
        return Traffic::everything();
    }
    let passes = |subnet: Option<&Subnet<'_>>, direction, place| {
        let acl = subnet.and_then(|subnet| model.acls.get(subnet.acl?));
        acl.map_or_else(Traffic::everything, |acl| {
            acl.lets_pass(direction, place, sure)
        })
    };
    let there =
        passes(from.0, Direction::Egress, to.1).common(&passes(to.0, Direction::Ingress, from.1));
    let back =
        passes(to.0, Direction::Egress, from.1).common(&passes(from.0, Direction::Ingress, to.1));
    let answered = match sure {
        // Whoever means harm chooses the port that the answers come to.
        Sure::Possible => !back.only(Protocol::Tcp).is_empty(),
        Sure::Certain => answers().within(&back),
    };
    if answered {
        there
    } else {
        there.but(&there.only(Protocol::Tcp))
    }
}
