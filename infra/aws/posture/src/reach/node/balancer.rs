//! Load balancers, what they listen to and to whom they send.

use serde_json::Value;

use super::Node;
use super::Role;
use crate::Architecture;
use crate::Resource;
use crate::reach::group::port;
use crate::reach::read::Findings;
use crate::reach::read::id;

/// A listener of a load balancer.
#[derive(Debug)]
pub(crate) struct Listener<'a> {
    pub(crate) id: &'a str,
    pub(crate) port: u16,
    pub(crate) protocol: &'a str,
    /// The target groups that it forwards to.
    pub(crate) targets: Vec<&'a str>,
}

/// A target group.
#[derive(Debug)]
pub(crate) struct Targets<'a> {
    pub(crate) id: &'a str,
    /// Where traffic goes, and health checks.
    pub(crate) ports: Vec<u16>,
    pub(crate) protocol: &'a str,
    shows_clients: bool,
}

pub(super) fn targets<'a>(
    architecture: &'a Architecture,
    findings: &mut Findings,
) -> Vec<Targets<'a>> {
    let mut all = Vec::new();
    for resource in architecture.of_kind("AWS::ElasticLoadBalancingV2::TargetGroup") {
        if resource.property("Targets").is_some() {
            findings.note(resource.id, "targets that are no Auto Scaling group");
        }
        if resource.text("TargetType").unwrap_or("instance") != "instance" {
            findings.note(resource.id, "targets that are no instances");
        }
        let mut ports: Vec<Option<u16>> = vec![resource.property("Port").and_then(port)];
        match resource.property("HealthCheckPort") {
            Some(value) if value.as_str() != Some("traffic-port") => ports.push(port(value)),
            _ => {}
        }
        if ports.contains(&None) {
            findings.note(resource.id, "a port that can't be understood");
        }
        all.push(Targets {
            id: resource.id,
            ports: ports.into_iter().flatten().collect(),
            protocol: resource.text("Protocol").unwrap_or(""),
            shows_clients: shows_clients(resource),
        });
    }
    all
}

/// A network load balancer does, to instances, unless it is told not to.
fn shows_clients(resource: Resource<'_>) -> bool {
    let attributes = resource.property("TargetGroupAttributes");
    let off = |attribute: &Value| {
        attribute.get("Key").and_then(Value::as_str) == Some("preserve_client_ip.enabled")
            && attribute.get("Value").and_then(Value::as_str) == Some("false")
    };
    let attributes = attributes.and_then(Value::as_array);
    !attributes.is_some_and(|attributes| attributes.iter().any(off))
}

pub(super) fn balancers<'a>(
    architecture: &'a Architecture,
    targets: &[Targets<'a>],
    findings: &mut Findings,
) -> Vec<Node<'a>> {
    let mut balancers = Vec::new();
    for resource in architecture.of_kind("AWS::ElasticLoadBalancingV2::LoadBalancer") {
        let shape = (resource.text("Type"), resource.text("Scheme"));
        let role = match shape {
            (Some("application"), Some("internet-facing")) => Role::FrontBalancer,
            (Some("network"), Some("internal")) => Role::InnerBalancer,
            (kind, scheme) => {
                let what = format!("no place here for a balancer {kind:?}, {scheme:?}");
                findings.note(resource.id, what);
                continue;
            }
        };
        if !matches!(resource.text("IpAddressType"), None | Some("ipv4")) {
            findings.note(resource.id, "the model speaks IPv4 only");
        }
        // Addresses of one's own (SubnetMappings), capacity units and the like are not known.
        let known = [
            "Name",
            "Type",
            "Scheme",
            "IpAddressType",
            "Subnets",
            "SecurityGroups",
            "Tags",
            "LoadBalancerAttributes",
            "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic",
        ];
        findings.expect_only(resource, &known);
        let groups = findings.ids(resource, "SecurityGroups");
        let ungrouped = role == Role::InnerBalancer && groups.is_empty();
        balancers.push(Node {
            subnets: findings.ids(resource, "Subnets"),
            groups: (!ungrouped).then_some(groups),
            public: role == Role::FrontBalancer,
            ..Node::new(resource.id, role)
        });
    }
    for listener in listeners(architecture, &mut balancers, findings) {
        findings.note(listener, "a listener of no load balancer of ours");
    }
    for balancer in balancers
        .iter_mut()
        .filter(|node| node.role == Role::InnerBalancer)
    {
        let mut used = balancer
            .listeners
            .iter()
            .flat_map(|listener| &listener.targets);
        balancer.shows_clients = used.any(|used| {
            targets
                .iter()
                .any(|group| group.id == *used && group.shows_clients)
        });
    }
    balancers
}

/// Gives each listener to its balancer; what is left belongs to none.
fn listeners<'a>(
    architecture: &'a Architecture,
    balancers: &mut [Node<'a>],
    findings: &mut Findings,
) -> Vec<&'a str> {
    let mut strays = Vec::new();
    for resource in architecture.of_kind("AWS::ElasticLoadBalancingV2::Listener") {
        let owner = findings.id(resource, "LoadBalancerArn");
        let owner = balancers.iter_mut().find(|node| Some(node.id) == owner);
        let (Some(owner), Some(port)) = (owner, resource.property("Port").and_then(port)) else {
            strays.push(resource.id);
            continue;
        };
        let targets = forwards(resource, "DefaultActions", findings);
        let protocol = resource.text("Protocol").unwrap_or("");
        owner.listeners.push(Listener {
            id: resource.id,
            port,
            protocol,
            targets,
        });
    }
    for resource in architecture.of_kind("AWS::ElasticLoadBalancingV2::ListenerRule") {
        let owner = findings.id(resource, "ListenerArn");
        let mut listeners = balancers.iter_mut().flat_map(|node| &mut node.listeners);
        match listeners.find(|listener| Some(listener.id) == owner) {
            Some(listener) => listener
                .targets
                .extend(forwards(resource, "Actions", findings)),
            None => strays.push(resource.id),
        }
    }
    strays
}

/// The target groups to which actions send.
fn forwards<'a>(resource: Resource<'a>, path: &str, findings: &mut Findings) -> Vec<&'a str> {
    let actions = resource.property(path).and_then(Value::as_array);
    let mut found = Vec::new();
    for action in actions.into_iter().flatten() {
        match action.get("Type").and_then(Value::as_str) {
            Some("forward") => {
                let several = action.pointer("/ForwardConfig/TargetGroups");
                let several = several.and_then(Value::as_array).into_iter().flatten();
                let named = several
                    .chain([action])
                    .filter_map(|at| at.get("TargetGroupArn"));
                for target in named {
                    match id(target) {
                        Some(target) => found.push(target),
                        None => findings.note(resource.id, "a target group that is not ours"),
                    }
                }
            }
            Some("redirect" | "fixed-response") => {}
            other => findings.note(resource.id, format!("an action not known: {other:?}")),
        }
    }
    found
}
