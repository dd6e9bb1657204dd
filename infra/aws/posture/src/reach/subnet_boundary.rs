//! The traffic of allowed flows across the boundary of a subnet, where its network ACL filters.

use super::addresses::AddressRange;
use super::allowed_flows;
use super::allowed_flows::allowed_between;
use super::connectivity::clients;
use super::model::Model;
use super::network::Subnet;
use super::node::Node;
use super::node::Role;
use super::security_group::Direction;
use super::traffic::Traffic;

/// The allowed traffic between two nodes, in a direction as seen from `owner`.
pub(crate) fn allowed_in_direction(
    owner: &Node<'_>,
    peer: &Node<'_>,
    direction: Direction,
) -> Traffic {
    match direction {
        Direction::Ingress => allowed_between(peer, owner),
        Direction::Egress => allowed_between(owner, peer),
    }
}

/// The traffic of allowed flows between a subnet and a range of addresses, at the subnet's boundary. Includes the
/// responses.
pub(crate) fn allowed_at_boundary(
    model: &Model<'_>,
    subnet: &Subnet<'_>,
    direction: Direction,
    range: AddressRange,
) -> Traffic {
    let all = || model.nodes.iter();
    let inside = all().filter(|node| node.subnets.contains(&subnet.id));
    let mut allowed = Traffic::none();
    for own in inside {
        for other in all().filter(|other| other.role != Role::ImageBuilder) {
            let requests = allowed_in_direction(own, other, direction);
            let responses = match direction {
                Direction::Ingress => allowed_between(own, other),
                Direction::Egress => allowed_between(other, own),
            };
            let no_traffic = requests.is_empty() && responses.is_empty();
            if no_traffic || !addresses(model, own, other).contains(&range) {
                continue;
            }
            allowed = allowed.union(&requests);
            if !responses.is_empty() {
                allowed = allowed.union(&allowed_flows::response_ports());
            }
        }
    }
    allowed
}

/// The addresses that one node sees of another.
fn addresses(model: &Model<'_>, own: &Node<'_>, other: &Node<'_>) -> Vec<AddressRange> {
    let subnets = model.subnets_of(other).into_iter();
    let mut ranges: Vec<AddressRange> = subnets
        .map(|subnet| AddressRange::Subnet(subnet.block))
        .collect();
    if other.subnets.is_empty() {
        ranges.push(AddressRange::Public);
    }
    if own.role == Role::App && other.preserves_client_ip {
        ranges.extend(clients(model));
    }
    ranges
}
