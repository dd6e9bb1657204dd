//! The network's own resolver. It stands outside of security groups and ACLs and asks the world on
//! everybody's behalf, so that names could carry data out.

use std::collections::BTreeMap;

use serde_json::Value;

use super::read::Findings;
use super::read::id;
use super::read::number;
use crate::Architecture;
use crate::Resource;

/// What the resolver of a network answers.
#[derive(Debug)]
pub(crate) struct Resolver<'a> {
    pub(crate) network: &'a str,
    /// The names that are let through before everything else is refused; None if never all is.
    pub(crate) names: Option<Vec<&'a str>>,
}

pub(super) fn resolvers<'a>(
    architecture: &'a Architecture,
    findings: &mut Findings,
) -> Vec<Resolver<'a>> {
    let mut resolvers = Vec::new();
    let kind = "AWS::Route53Resolver::FirewallRuleGroupAssociation";
    for resource in architecture.of_kind(kind) {
        let network = findings.id(resource, "VpcId");
        let group = findings.id(resource, "FirewallRuleGroupId");
        let group = group.and_then(|group| architecture.resource(group));
        if let (Some(network), Some(group)) = (network, group) {
            resolvers.push(Resolver {
                network,
                names: names(architecture, group, findings),
            });
        }
    }
    resolvers
}

fn names<'a>(
    architecture: &'a Architecture,
    group: Resource<'a>,
    findings: &mut Findings,
) -> Option<Vec<&'a str>> {
    let rules = group.property("FirewallRules")?.as_array()?;
    let ordered: BTreeMap<i64, &Value> = rules
        .iter()
        .filter_map(|rule| Some((number(rule.get("Priority")?)?, rule)))
        .collect();
    if ordered.len() != rules.len() {
        findings.note(group.id, "rules without an order");
    }
    let mut allowed = Vec::new();
    for rule in ordered.into_values() {
        let list = rule.get("FirewallDomainListId").and_then(id);
        let list = list.and_then(|list| architecture.resource(list));
        let domains = list.and_then(|list| list.property("Domains")?.as_array());
        let Some(domains) = domains else {
            findings.note(group.id, "a list of names that is not ours");
            continue;
        };
        let domains: Vec<&str> = domains.iter().filter_map(Value::as_str).collect();
        match rule.get("Action").and_then(Value::as_str) {
            Some("BLOCK") if domains.contains(&"*") && rule.get("Qtype").is_none() => {
                return Some(allowed);
            }
            Some("BLOCK") => {}
            // An alert is an answer all the same.
            _ => allowed.extend(domains),
        }
    }
    None
}
