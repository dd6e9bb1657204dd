//! What load balancers speak, and where the tiers stand.

use std::collections::BTreeSet;

use super::Judged;
use crate::reach::listed::FLOWS;
use crate::reach::model::Model;
use crate::reach::node::Listener;
use crate::reach::node::Node;
use crate::reach::node::Role;

pub(super) fn protocols(judged: &Judged<'_, '_>) -> Vec<String> {
    let mut faults = Vec::new();
    for node in &judged.model.nodes {
        for listener in &node.listeners {
            faults.extend(listens(node, listener));
            for target in &listener.targets {
                faults.extend(sends(judged.model, node, target));
            }
        }
    }
    faults
}

/// Port 80 is there to send browsers on to HTTPS.
fn listens(node: &Node<'_>, listener: &Listener<'_>) -> Option<String> {
    let forwards = !listener.targets.is_empty();
    let fits = match (node.role, listener.port, listener.protocol) {
        (Role::FrontBalancer, 443, "HTTPS") | (Role::InnerBalancer, 9443, "TCP") => forwards,
        (Role::FrontBalancer, 80, "HTTP") => !forwards,
        _ => false,
    };
    let Listener {
        id, port, protocol, ..
    } = listener;
    (!fits).then(|| format!("{id}: {protocol} on {port}, forwarding: {forwards}, is not listed"))
}

fn sends(model: &Model<'_>, node: &Node<'_>, target: &str) -> Vec<String> {
    let Some(targets) = model.targets.iter().find(|known| known.id == target) else {
        return vec![format!("{target} is no target group of ours")];
    };
    let protocol = if node.role == Role::FrontBalancer {
        "HTTPS"
    } else {
        "TCP"
    };
    let mut faults = Vec::new();
    if targets.protocol != protocol {
        faults.push(format!(
            "{target} speaks {}, not {protocol}",
            targets.protocol
        ));
    }
    let listed = |port: &u16| {
        let mut flows = FLOWS.iter().filter(|flow| flow.from == node.role);
        flows.any(|flow| flow.ports.contains(port))
    };
    let others = targets.ports.iter().filter(|port| !listed(port));
    faults.extend(others.map(|port| format!("{target} goes to port {port}, which is not listed")));
    faults
}

pub(super) fn zones(judged: &Judged<'_, '_>) -> Vec<String> {
    let mut faults = Vec::new();
    for node in &judged.model.nodes {
        let tiers = [
            Role::FrontBalancer,
            Role::Web,
            Role::InnerBalancer,
            Role::App,
            Role::Database,
        ];
        if !tiers.contains(&node.role) {
            continue;
        }
        let subnets = judged.model.subnets_of(node).into_iter();
        let zones: BTreeSet<&str> = subnets.map(|subnet| subnet.zone).collect();
        if zones.len() < 3 {
            faults.push(format!("{} stands in {} zones", node.id, zones.len()));
        }
    }
    faults
}
