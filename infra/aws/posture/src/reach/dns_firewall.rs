//! The DNS firewall of a network. The network's resolver bypasses security groups and ACLs, and queries authoritative
//! servers for every machine, so that names could exfiltrate data.

use std::collections::BTreeMap;

use serde_json::Value;

use super::diagnostics::Diagnostics;
use super::values::id;
use super::values::number;
use crate::architecture::Architecture;
use crate::architecture::Resource;

/// The DNS firewall of a network.
#[derive(Debug)]
pub(crate) struct DnsFirewall<'a> {
    pub(crate) network: &'a str,
    /// The domains that are allowed before a rule blocks all others; none if no rule does.
    pub(crate) allowed_domains: Option<Vec<&'a str>>,
}

pub(super) fn dns_firewalls<'a>(
    architecture: &'a Architecture,
    diagnostics: &mut Diagnostics,
) -> Vec<DnsFirewall<'a>> {
    let mut dns_firewalls = Vec::new();
    let kind = "AWS::Route53Resolver::FirewallRuleGroupAssociation";
    for resource in architecture.of_type(kind) {
        let network = diagnostics.id(resource, "VpcId");
        let group = diagnostics.id(resource, "FirewallRuleGroupId");
        let group = group.and_then(|group| architecture.resource(group));
        if let (Some(network), Some(group)) = (network, group) {
            dns_firewalls.push(DnsFirewall {
                network,
                allowed_domains: allowed_domains(architecture, group, diagnostics),
            });
        }
    }
    dns_firewalls
}

fn allowed_domains<'a>(
    architecture: &'a Architecture,
    group: Resource<'a>,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<&'a str>> {
    let rules = group.property("FirewallRules")?.as_array()?;
    let ordered: BTreeMap<i64, &Value> = rules
        .iter()
        .filter_map(|rule| Some((number(rule.get("Priority")?)?, rule)))
        .collect();
    if ordered.len() != rules.len() {
        diagnostics.note(group.id, "two rules have one priority");
    }
    let mut allowed = Vec::new();
    for rule in ordered.into_values() {
        let list = rule.get("FirewallDomainListId").and_then(id);
        let list = list.and_then(|list| architecture.resource(list));
        let domains = list.and_then(|list| list.property("Domains")?.as_array());
        let Some(domains) = domains else {
            diagnostics.note(
                group.id,
                "a domain list that these templates do not declare",
            );
            continue;
        };
        let domains: Vec<&str> = domains.iter().filter_map(Value::as_str).collect();
        match rule.get("Action").and_then(Value::as_str) {
            Some("BLOCK") if domains.contains(&"*") && rule.get("Qtype").is_none() => {
                return Some(allowed);
            }
            Some("BLOCK") => {}
            // ALERT allows the query and logs it.
            _ => allowed.extend(domains),
        }
    }
    None
}
