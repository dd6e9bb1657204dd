//! Rules on the protocols of load balancers, and on availability zones.

use std::collections::BTreeSet;

use super::Evaluation;
use crate::reach::allowed_flows::ALLOWED_FLOWS;
use crate::reach::model::Model;
use crate::reach::node::Listener;
use crate::reach::node::Node;
use crate::reach::node::Role;

pub(super) fn protocols(evaluation: &Evaluation<'_, '_>) -> Vec<String> {
    let mut faults = Vec::new();
    for node in &evaluation.model.nodes {
        for listener in &node.listeners {
            faults.extend(listener_fault(node, listener));
            for target in &listener.targets {
                faults.extend(target_faults(evaluation.model, node, target));
            }
        }
    }
    faults
}

/// A fault of a listener. Port 80 may only redirect to HTTPS.
fn listener_fault(node: &Node<'_>, listener: &Listener<'_>) -> Option<String> {
    let forwards = !listener.targets.is_empty();
    let is_allowed = match (node.role, listener.port, listener.protocol) {
        (Role::PublicBalancer, 443, "HTTPS") | (Role::InternalBalancer, 9443, "TCP") => forwards,
        (Role::PublicBalancer, 80, "HTTP") => !forwards,
        _ => false,
    };
    let Listener {
        id, port, protocol, ..
    } = listener;
    (!is_allowed)
        .then(|| format!("{id}: {protocol} on {port}, forwarding: {forwards}, is not allowed"))
}

fn target_faults(model: &Model<'_>, node: &Node<'_>, target: &str) -> Vec<String> {
    let Some(targets) = model.targets.iter().find(|known| known.id == target) else {
        return vec![format!("{target} is not a target group of these templates")];
    };
    let protocol = if node.role == Role::PublicBalancer {
        "HTTPS"
    } else {
        "TCP"
    };
    let mut faults = Vec::new();
    if targets.protocol != protocol {
        faults.push(format!(
            "{target} uses {}, not {protocol}",
            targets.protocol
        ));
    }
    let is_allowed = |port: &u16| {
        let mut flows = ALLOWED_FLOWS.iter().filter(|flow| flow.from == node.role);
        flows.any(|flow| flow.ports.contains(port))
    };
    let others = targets.ports.iter().filter(|port| !is_allowed(port));
    faults.extend(others.map(|port| format!("{target} uses port {port}, which is not allowed")));
    faults
}

pub(super) fn zones(evaluation: &Evaluation<'_, '_>) -> Vec<String> {
    let mut faults = Vec::new();
    for node in &evaluation.model.nodes {
        let tiers = [
            Role::PublicBalancer,
            Role::Web,
            Role::InternalBalancer,
            Role::App,
            Role::Database,
        ];
        if !tiers.contains(&node.role) {
            continue;
        }
        let subnets = evaluation.model.subnets_of(node).into_iter();
        let zones: BTreeSet<&str> = subnets.map(|subnet| subnet.zone).collect();
        if zones.len() < 3 {
            faults.push(format!("{} is in {} zones", node.id, zones.len()));
        }
    }
    faults
}
