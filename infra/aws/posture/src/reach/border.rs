//! What listed flows send over the border of a subnet, where a network ACL stands.

use super::flow::clients;
use super::group::Direction;
use super::listed;
use super::listed::between;
use super::model::Model;
use super::network::Subnet;
use super::node::Node;
use super::node::Role;
use super::place::Place;
use super::traffic::Traffic;

/// What is listed between two nodes, seen from one of them.
pub(crate) fn directed(owner: &Node<'_>, peer: &Node<'_>, direction: Direction) -> Traffic {
    match direction {
        Direction::Ingress => between(peer, owner),
        Direction::Egress => between(owner, peer),
    }
}

/// What listed flows send between a subnet and a place, seen at the subnet's border.
pub(crate) fn wanted(
    model: &Model<'_>,
    subnet: &Subnet<'_>,
    direction: Direction,
    place: Place,
) -> Traffic {
    let all = || model.nodes.iter();
    let inside = all().filter(|node| node.subnets.contains(&subnet.id));
    let mut wanted = Traffic::nothing();
    for own in inside {
        for other in all().filter(|other| other.role != Role::Builder) {
            let requests = directed(own, other, direction);
            let answers = match direction {
                Direction::Ingress => between(own, other),
                Direction::Egress => between(other, own),
            };
            let nothing = requests.is_empty() && answers.is_empty();
            if nothing || !places(model, own, other).contains(&place) {
                continue;
            }
            wanted = wanted.and(&requests);
            if !answers.is_empty() {
                wanted = wanted.and(&listed::answers());
            }
        }
    }
    wanted
}

/// The addresses under which one node sees another.
fn places(model: &Model<'_>, own: &Node<'_>, other: &Node<'_>) -> Vec<Place> {
    let subnets = model.subnets_of(other).into_iter();
    let mut places: Vec<Place> = subnets.map(|subnet| Place::Subnet(subnet.block)).collect();
    if other.subnets.is_empty() {
        places.push(Place::Public);
    }
    if own.role == Role::App && other.shows_clients {
        places.extend(clients(model));
    }
    places
}
