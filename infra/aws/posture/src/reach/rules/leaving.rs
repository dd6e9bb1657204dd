//! What leaves the network, and by which doors.

use serde_json::Value;

use super::Judged;
use crate::reach::listed::NAMES;
use crate::reach::listed::SERVICES;
use crate::reach::listed::between;
use crate::reach::node::Node;
use crate::reach::node::Role;

pub(super) fn routes(judged: &Judged<'_, '_>) -> Vec<String> {
    let mut faults = Vec::new();
    for node in judged.model.nodes.iter().filter(|node| node.is_inside()) {
        for subnet in judged.model.subnets_of(node) {
            if subnet.internet {
                let what = "which has a route to the internet";
                faults.push(format!("{} stands in {}, {what}", node.id, subnet.id));
            }
        }
    }
    let front = judged.model.nodes.iter();
    let front: Vec<&Node<'_>> = front
        .filter(|node| node.role == Role::FrontBalancer)
        .collect();
    for subnet in judged
        .model
        .subnets
        .values()
        .filter(|subnet| subnet.internet)
    {
        if !front.iter().any(|node| node.subnets.contains(&subnet.id)) {
            let what = "has a route to the internet, and no load balancer in it";
            faults.push(format!("{} {what}", subnet.id));
        }
    }
    faults
}

pub(super) fn outward(judged: &Judged<'_, '_>) -> Vec<String> {
    let mut faults = Vec::new();
    let doors = [Role::Internet, Role::Endpoint, Role::Gateway];
    for edge in judged
        .edges
        .iter()
        .filter(|edge| doors.contains(&edge.to.role))
    {
        if !edge.traffic.within(&between(edge.from, edge.to)) {
            faults.push(edge.to_string());
        }
    }
    for node in judged
        .model
        .nodes
        .iter()
        .filter(|node| !node.service.is_empty())
    {
        if !SERVICES.contains(&node.service) {
            faults.push(format!(
                "{}: {} is no listed service",
                node.id, node.service
            ));
        }
    }
    faults
}

pub(super) fn policies(judged: &Judged<'_, '_>) -> Vec<String> {
    let mut faults = Vec::new();
    for node in judged
        .model
        .nodes
        .iter()
        .filter(|node| !node.service.is_empty())
    {
        let policy = judged.model.policies.get(node.id);
        let statements = policy.and_then(|policy| policy.get("Statement")?.as_array());
        let Some(statements) = statements else {
            faults.push(format!("{} has no policy: it serves everybody", node.id));
            continue;
        };
        for statement in statements.iter().filter(|statement| is_open(statement)) {
            let sid = statement
                .get("Sid")
                .and_then(Value::as_str)
                .unwrap_or("a statement");
            faults.push(format!("{}: {sid} allows anybody or anything", node.id));
        }
    }
    faults
}

/// Whether a statement allows every action, or allows everybody everything without a condition.
fn is_open(statement: &Value) -> bool {
    let has = |name: &str, wanted: &str| match statement.get(name) {
        Some(Value::String(text)) => text == wanted,
        Some(Value::Array(items)) => items.iter().any(|item| item.as_str() == Some(wanted)),
        _ => false,
    };
    let allows = statement.get("Effect").and_then(Value::as_str) == Some("Allow");
    let nobody_else = statement.get("Condition").is_none() && has("Principal", "*");
    let backwards = statement.get("NotAction").is_some();
    allows && (has("Action", "*") || backwards || nobody_else)
}

pub(super) fn names(judged: &Judged<'_, '_>) -> Vec<String> {
    let mut faults = Vec::new();
    for network in &judged.model.networks {
        let resolvers = judged.model.resolvers.iter();
        let mut own = resolvers.filter(|resolver| resolver.network == *network);
        let (Some(resolver), None) = (own.next(), own.next()) else {
            faults.push(format!("{network} has not exactly one firewall for names"));
            continue;
        };
        let Some(names) = &resolver.names else {
            faults.push(format!(
                "{network}: its firewall for names refuses not everything"
            ));
            continue;
        };
        let others = names.iter().filter(|name| !NAMES.contains(name));
        faults.extend(others.map(|name| format!("{network}: {name} is no listed name")));
    }
    faults
}
