//! Each wall by itself, and both together for what has to pass.

use super::Judged;
use crate::reach::border::wanted;
use crate::reach::flow::Walls;
use crate::reach::flow::flow;
use crate::reach::graph::edges;
use crate::reach::group::Direction;
use crate::reach::listed::FLOWS;
use crate::reach::listed::between;
use crate::reach::node::Role;
use crate::reach::place::Place;
use crate::reach::place::Sure;
use crate::reach::traffic::Traffic;

pub(super) fn groups_alone(judged: &Judged<'_, '_>) -> Vec<String> {
    let edges = edges(judged.model, Walls::GroupsAlone);
    edges
        .iter()
        .filter(|edge| !edge.traffic.within(&between(edge.from, edge.to)))
        .map(|edge| format!("security groups alone: {edge}"))
        .collect()
}

pub(super) fn acls_alone(judged: &Judged<'_, '_>) -> Vec<String> {
    let model = judged.model;
    let mut faults = Vec::new();
    for subnet in model.inhabited() {
        let others = model.inhabited().filter(|other| other.id != subnet.id);
        let others = others.map(|other| (other.id, Place::Subnet(other.block)));
        for (name, place) in others.chain([("public addresses", Place::Public)]) {
            for direction in [Direction::Ingress, Direction::Egress] {
                let acl = subnet.acl.and_then(|acl| model.acls.get(acl));
                let passes = acl.map_or_else(Traffic::everything, |acl| {
                    acl.lets_pass(direction, place, Sure::Possible)
                });
                let excess = passes.but(&wanted(model, subnet, direction, place));
                if !excess.is_empty() {
                    let id = subnet.id;
                    faults.push(format!(
                        "{id}: its ACL lets {excess} pass, {direction:?}, {name}"
                    ));
                }
            }
        }
    }
    faults
}

pub(super) fn listed_flows(judged: &Judged<'_, '_>) -> Vec<String> {
    let mut faults = Vec::new();
    let of = |role| {
        judged
            .model
            .nodes
            .iter()
            .filter(move |node| node.role == role)
    };
    for listed in FLOWS {
        // Images may be built elsewhere altogether.
        if listed.from == Role::Builder {
            continue;
        }
        let mut pairs = 0_u32;
        for (from, to) in of(listed.from).flat_map(|from| of(listed.to).map(move |to| (from, to))) {
            pairs = pairs.saturating_add(1);
            let passes = flow(judged.model, from, to, Walls::Both, Sure::Certain);
            let missing = between(from, to).but(&passes);
            if !missing.is_empty() {
                let (from, to) = (from.id, to.id);
                faults.push(format!("{from} can't always open {missing} to {to}"));
            }
        }
        if pairs == 0 {
            let (from, to) = (listed.from, listed.to);
            faults.push(format!("nothing to flow from {from:?} to {to:?}"));
        }
    }
    faults
}
