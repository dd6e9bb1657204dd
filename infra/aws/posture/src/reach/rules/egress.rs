//! Rules on traffic out of the network.

use serde_json::Value;

use super::Evaluation;
use crate::reach::allowed_flows::ALLOWED_DOMAINS;
use crate::reach::allowed_flows::ALLOWED_SERVICES;
use crate::reach::allowed_flows::allowed_between;
use crate::reach::node::Node;
use crate::reach::node::Role;

pub(super) fn routes(evaluation: &Evaluation<'_, '_>) -> Vec<String> {
    let mut faults = Vec::new();
    for node in evaluation
        .model
        .nodes
        .iter()
        .filter(|node| node.is_inside())
    {
        for subnet in evaluation.model.subnets_of(node) {
            if subnet.internet {
                let what = "which has a route to the internet";
                faults.push(format!("{} is in {}, {what}", node.id, subnet.id));
            }
        }
    }
    let front = evaluation.model.nodes.iter();
    let front: Vec<&Node<'_>> = front
        .filter(|node| node.role == Role::PublicBalancer)
        .collect();
    for subnet in evaluation
        .model
        .subnets
        .values()
        .filter(|subnet| subnet.internet)
    {
        if !front.iter().any(|node| node.subnets.contains(&subnet.id)) {
            let what = "has a route to the internet, and does not contain a public load balancer";
            faults.push(format!("{} {what}", subnet.id));
        }
    }
    faults
}

pub(super) fn outward(evaluation: &Evaluation<'_, '_>) -> Vec<String> {
    let mut faults = Vec::new();
    let outside = [
        Role::Internet,
        Role::InterfaceEndpoint,
        Role::GatewayEndpoint,
    ];
    for edge in evaluation
        .edges
        .iter()
        .filter(|edge| outside.contains(&edge.to.role))
    {
        if !edge.traffic.is_subset(&allowed_between(edge.from, edge.to)) {
            faults.push(edge.to_string());
        }
    }
    for node in evaluation
        .model
        .nodes
        .iter()
        .filter(|node| !node.service.is_empty())
    {
        if !ALLOWED_SERVICES.contains(&node.service) {
            faults.push(format!(
                "{}: {} is not an allowed service",
                node.id, node.service
            ));
        }
    }
    faults
}

pub(super) fn policies(evaluation: &Evaluation<'_, '_>) -> Vec<String> {
    let mut faults = Vec::new();
    for node in evaluation
        .model
        .nodes
        .iter()
        .filter(|node| !node.service.is_empty())
    {
        let policy = evaluation.model.policies.get(node.id);
        let statements = policy.and_then(|policy| policy.get("Statement")?.as_array());
        let Some(statements) = statements else {
            faults.push(format!(
                "{} has no policy: it allows every principal",
                node.id
            ));
            continue;
        };
        for statement in statements.iter().filter(|statement| is_open(statement)) {
            let sid = statement
                .get("Sid")
                .and_then(Value::as_str)
                .unwrap_or("a statement");
            faults.push(format!(
                "{}: {sid} allows every principal or every action",
                node.id
            ));
        }
    }
    faults
}

/// Whether a statement allows every action, or every principal without a condition.
fn is_open(statement: &Value) -> bool {
    let has = |name: &str, value: &str| match statement.get(name) {
        Some(Value::String(text)) => text == value,
        Some(Value::Array(items)) => items.iter().any(|item| item.as_str() == Some(value)),
        _ => false,
    };
    let allows = statement.get("Effect").and_then(Value::as_str) == Some("Allow");
    let every_principal = statement.get("Condition").is_none() && has("Principal", "*");
    let is_inverted = statement.get("NotAction").is_some();
    allows && (has("Action", "*") || is_inverted || every_principal)
}

pub(super) fn domains(evaluation: &Evaluation<'_, '_>) -> Vec<String> {
    let mut faults = Vec::new();
    for network in &evaluation.model.networks {
        let dns_firewalls = evaluation.model.dns_firewalls.iter();
        let mut own = dns_firewalls.filter(|firewall| firewall.network == *network);
        let (Some(firewall), None) = (own.next(), own.next()) else {
            faults.push(format!("{network} must have exactly one DNS firewall"));
            continue;
        };
        let Some(domains) = &firewall.allowed_domains else {
            faults.push(format!(
                "{network}: the DNS firewall does not block all other domains"
            ));
            continue;
        };
        let others = domains
            .iter()
            .filter(|domain| !ALLOWED_DOMAINS.contains(domain));
        faults.extend(others.map(|domain| format!("{network}: {domain} is not an allowed domain")));
    }
    faults
}
