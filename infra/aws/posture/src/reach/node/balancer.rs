//! Load balancers with their listeners and target groups.

use serde_json::Value;

use super::Node;
use super::Role;
use crate::architecture::Architecture;
use crate::architecture::Resource;
use crate::reach::diagnostics::Diagnostics;
use crate::reach::values::id;
use crate::reach::values::port;

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
pub(crate) struct TargetGroup<'a> {
    pub(crate) id: &'a str,
    /// The ports of traffic and of health checks.
    pub(crate) ports: Vec<u16>,
    pub(crate) protocol: &'a str,
    preserves_client_ip: bool,
}

pub(super) fn targets<'a>(
    architecture: &'a Architecture,
    diagnostics: &mut Diagnostics,
) -> Vec<TargetGroup<'a>> {
    let mut all = Vec::new();
    for resource in architecture.of_type("AWS::ElasticLoadBalancingV2::TargetGroup") {
        if resource.property("Targets").is_some() {
            diagnostics.note(resource.id, "the targets must be an Auto Scaling group");
        }
        if resource.text("TargetType").unwrap_or("instance") != "instance" {
            diagnostics.note(resource.id, "the targets must be instances");
        }
        let mut ports: Vec<Option<u16>> = vec![resource.property("Port").and_then(port)];
        match resource.property("HealthCheckPort") {
            Some(value) if value.as_str() != Some("traffic-port") => ports.push(port(value)),
            _ => {}
        }
        if ports.contains(&None) {
            diagnostics.note(resource.id, "a port cannot be read");
        }
        all.push(TargetGroup {
            id: resource.id,
            ports: ports.into_iter().flatten().collect(),
            protocol: resource.text("Protocol").unwrap_or(""),
            preserves_client_ip: preserves_client_ip(resource),
        });
    }
    all
}

/// Network load balancers preserve client addresses to instances by default.
fn preserves_client_ip(resource: Resource<'_>) -> bool {
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
    targets: &[TargetGroup<'a>],
    diagnostics: &mut Diagnostics,
) -> Vec<Node<'a>> {
    let mut balancers = Vec::new();
    for resource in architecture.of_type("AWS::ElasticLoadBalancingV2::LoadBalancer") {
        let shape = (resource.text("Type"), resource.text("Scheme"));
        let role = match shape {
            (Some("application"), Some("internet-facing")) => Role::PublicBalancer,
            (Some("network"), Some("internal")) => Role::InternalBalancer,
            (kind, scheme) => {
                let what = format!("the model does not support a balancer {kind:?}, {scheme:?}");
                diagnostics.note(resource.id, what);
                continue;
            }
        };
        if !matches!(resource.text("IpAddressType"), None | Some("ipv4")) {
            diagnostics.note(resource.id, "the model supports IPv4 only");
        }
        // Not supported: fixed addresses (SubnetMappings), capacity units and the like.
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
        diagnostics.allow_only(resource, &known);
        let groups = diagnostics.ids(resource, "SecurityGroups");
        let ungrouped = role == Role::InternalBalancer && groups.is_empty();
        balancers.push(Node {
            subnets: diagnostics.ids(resource, "Subnets"),
            groups: (!ungrouped).then_some(groups),
            public: role == Role::PublicBalancer,
            ..Node::new(resource.id, role)
        });
    }
    for listener in listeners(architecture, &mut balancers, diagnostics) {
        diagnostics.note(
            listener,
            "the load balancer of this listener is not declared in these templates",
        );
    }
    for balancer in balancers
        .iter_mut()
        .filter(|node| node.role == Role::InternalBalancer)
    {
        let mut used = balancer
            .listeners
            .iter()
            .flat_map(|listener| &listener.targets);
        balancer.preserves_client_ip = used.any(|used| {
            targets
                .iter()
                .any(|group| group.id == *used && group.preserves_client_ip)
        });
    }
    balancers
}

/// Adds each listener to its balancer, and returns the ids of listeners without one.
fn listeners<'a>(
    architecture: &'a Architecture,
    balancers: &mut [Node<'a>],
    diagnostics: &mut Diagnostics,
) -> Vec<&'a str> {
    let mut orphans = Vec::new();
    for resource in architecture.of_type("AWS::ElasticLoadBalancingV2::Listener") {
        let owner = diagnostics.id(resource, "LoadBalancerArn");
        let owner = balancers.iter_mut().find(|node| Some(node.id) == owner);
        let (Some(owner), Some(port)) = (owner, resource.property("Port").and_then(port)) else {
            orphans.push(resource.id);
            continue;
        };
        let targets = forwards(resource, "DefaultActions", diagnostics);
        let protocol = resource.text("Protocol").unwrap_or("");
        owner.listeners.push(Listener {
            id: resource.id,
            port,
            protocol,
            targets,
        });
    }
    for resource in architecture.of_type("AWS::ElasticLoadBalancingV2::ListenerRule") {
        let owner = diagnostics.id(resource, "ListenerArn");
        let mut listeners = balancers.iter_mut().flat_map(|node| &mut node.listeners);
        match listeners.find(|listener| Some(listener.id) == owner) {
            Some(listener) => listener
                .targets
                .extend(forwards(resource, "Actions", diagnostics)),
            None => orphans.push(resource.id),
        }
    }
    orphans
}

/// The target groups of forward actions.
fn forwards<'a>(resource: Resource<'a>, path: &str, diagnostics: &mut Diagnostics) -> Vec<&'a str> {
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
                        None => diagnostics.note(
                            resource.id,
                            "a target group that these templates do not declare",
                        ),
                    }
                }
            }
            Some("redirect" | "fixed-response") => {}
            other => diagnostics.note(
                resource.id,
                format!("the model does not support the action {other:?}"),
            ),
        }
    }
    found
}
