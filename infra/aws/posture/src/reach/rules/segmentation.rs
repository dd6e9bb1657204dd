//! Rules on segmentation: security groups alone, network ACLs alone, and both together for the allowed flows.

use super::Evaluation;
use crate::reach::addresses::AddressRange;
use crate::reach::addresses::Quantifier;
use crate::reach::allowed_flows::ALLOWED_FLOWS;
use crate::reach::allowed_flows::allowed_between;
use crate::reach::connectivity::Filters;
use crate::reach::connectivity::open_traffic;
use crate::reach::graph::edges;
use crate::reach::node::Role;
use crate::reach::security_group::Direction;
use crate::reach::subnet_boundary::allowed_at_boundary;
use crate::reach::traffic::Traffic;

pub(super) fn groups_only(evaluation: &Evaluation<'_, '_>) -> Vec<String> {
    let edges = edges(evaluation.model, Filters::GroupsOnly);
    edges
        .iter()
        .filter(|edge| !edge.traffic.is_subset(&allowed_between(edge.from, edge.to)))
        .map(|edge| format!("security groups alone: {edge}"))
        .collect()
}

pub(super) fn acls_only(evaluation: &Evaluation<'_, '_>) -> Vec<String> {
    let model = evaluation.model;
    let mut faults = Vec::new();
    for subnet in model.occupied() {
        let others = model.occupied().filter(|other| other.id != subnet.id);
        let others = others.map(|other| (other.id, AddressRange::Subnet(other.block)));
        for (name, range) in others.chain([("public addresses", AddressRange::Public)]) {
            for direction in [Direction::Ingress, Direction::Egress] {
                let acl = subnet.acl.and_then(|acl| model.acls.get(acl));
                let passes = acl.map_or_else(Traffic::all, |acl| {
                    acl.passing(direction, range, Quantifier::Exists)
                });
                let excess =
                    passes.difference(&allowed_at_boundary(model, subnet, direction, range));
                if !excess.is_empty() {
                    let id = subnet.id;
                    faults.push(format!(
                        "{id}: its ACL allows {excess}, {direction:?}, {name}"
                    ));
                }
            }
        }
    }
    faults
}

pub(super) fn allowed_flows(evaluation: &Evaluation<'_, '_>) -> Vec<String> {
    let mut faults = Vec::new();
    let of = |role| {
        evaluation
            .model
            .nodes
            .iter()
            .filter(move |node| node.role == role)
    };
    for allowed in ALLOWED_FLOWS {
        // Environments without an image builder are valid.
        if allowed.from == Role::ImageBuilder {
            continue;
        }
        let mut pairs = 0_u32;
        for (from, to) in of(allowed.from).flat_map(|from| of(allowed.to).map(move |to| (from, to)))
        {
            pairs = pairs.saturating_add(1);
            let passes = open_traffic(
                evaluation.model,
                from,
                to,
                Filters::GroupsAndAcls,
                Quantifier::ForAll,
            );
            let missing = allowed_between(from, to).difference(&passes);
            if !missing.is_empty() {
                let (from, to) = (from.id, to.id);
                faults.push(format!(
                    "{from} cannot open {missing} to {to} from every address"
                ));
            }
        }
        if pairs == 0 {
            let (from, to) = (allowed.from, allowed.to);
            faults.push(format!(
                "there are no nodes for the flow from {from:?} to {to:?}"
            ));
        }
    }
    faults
}
