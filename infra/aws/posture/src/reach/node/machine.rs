//! Groups of machines: Auto Scaling groups with their launch templates, launch templates by
//! themselves, and the machines that build images.

use serde_json::Value;

use super::Node;
use super::Role;
use crate::Architecture;
use crate::Resource;
use crate::reach::read::Findings;
use crate::reach::read::id;
use crate::reach::read::ids;
use crate::reach::read::truth;

/// What the model knows of a network interface.
const INTERFACE: &[&str] = &[
    "DeviceIndex",
    "AssociatePublicIpAddress",
    "DeleteOnTermination",
    "Description",
    "SubnetId",
    "Groups",
];

/// Of an Auto Scaling group, everything by which its machines could get an address or a caller.
const ELSEWHERE: &[&str] = &[
    "AvailabilityZones",
    "InstanceId",
    "LaunchConfigurationName",
    "LoadBalancerNames",
    "MixedInstancesPolicy",
    "TrafficSources",
];

pub(super) fn machines<'a>(
    architecture: &'a Architecture,
    balancers: &[Node<'a>],
    findings: &mut Findings,
) -> Vec<Node<'a>> {
    let mut machines = Vec::new();
    let mut used = Vec::new();
    for group in architecture.of_kind("AWS::AutoScaling::AutoScalingGroup") {
        for name in ELSEWHERE
            .iter()
            .filter(|name| group.property(name).is_some())
        {
            findings.note(group.id, format!("the model does not know {name}"));
        }
        let template = findings.id(group, "LaunchTemplate/LaunchTemplateId");
        used.extend(template);
        let template = template.and_then(|id| architecture.resource(id));
        let role = role(group, balancers, findings);
        let (Some(template), Some(role)) = (template, role) else {
            findings.note(group.id, "machines of which not all is known");
            continue;
        };
        let mut node = Node::new(group.id, role);
        node.subnets = findings.ids(group, "VPCZoneIdentifier");
        interface(template, &mut node, findings);
        machines.push(node);
    }
    let templates = architecture.of_kind("AWS::EC2::LaunchTemplate");
    for template in templates.filter(|template| !used.contains(&template.id)) {
        let mut node = Node::new(template.id, Role::Migration);
        interface(template, &mut node, findings);
        machines.push(node);
    }
    machines.extend(builders(architecture, findings));
    machines
}

/// Machines are what the balancer that sends to them says they are.
fn role(group: Resource<'_>, balancers: &[Node<'_>], findings: &mut Findings) -> Option<Role> {
    let targets = findings.ids(group, "TargetGroupARNs");
    let sends = |balancer: &&Node<'_>| {
        let mut all = balancer
            .listeners
            .iter()
            .flat_map(|listener| &listener.targets);
        all.any(|target| targets.contains(target))
    };
    let mut roles: Vec<Role> = balancers
        .iter()
        .filter(sends)
        .map(|node| node.role)
        .collect();
    roles.dedup();
    match roles.as_slice() {
        [Role::FrontBalancer] => Some(Role::Web),
        [Role::InnerBalancer] => Some(Role::App),
        _ => {
            findings.note(
                group.id,
                "not exactly one load balancer sends to these machines",
            );
            None
        }
    }
}

/// The security groups of a launch template, and where and under which addresses it starts.
fn interface<'a>(template: Resource<'a>, node: &mut Node<'a>, findings: &mut Findings) {
    let interfaces = template.property("LaunchTemplateData/NetworkInterfaces");
    let Some(interfaces) = interfaces.and_then(Value::as_array) else {
        node.groups = Some(findings.ids(template, "LaunchTemplateData/SecurityGroupIds"));
        return;
    };
    let [interface] = interfaces.as_slice() else {
        findings.note(template.id, "not exactly one network interface");
        return;
    };
    for name in interface
        .as_object()
        .into_iter()
        .flat_map(|found| found.keys())
    {
        if !INTERFACE.contains(&name.as_str()) {
            findings.note(
                template.id,
                format!("the model does not know {name} of an interface"),
            );
        }
    }
    node.groups = interface
        .get("Groups")
        .and_then(ids)
        .or_else(|| Some(Vec::new()));
    if let Some(subnet) = interface.get("SubnetId") {
        match id(subnet) {
            // An Auto Scaling group says it itself.
            Some(subnet) if node.subnets.is_empty() => node.subnets.push(subnet),
            _ => findings.note(template.id, "SubnetId can't be understood"),
        }
    }
    // Left unsaid, the subnet decides; the model adds that.
    node.public = interface
        .get("AssociatePublicIpAddress")
        .is_some_and(|value| truth(value) != Some(false));
}

/// A machine that makes images stands in a network of its own, or it would need a way out of ours.
fn builders<'a>(architecture: &'a Architecture, findings: &mut Findings) -> Vec<Node<'a>> {
    let mut builders = Vec::new();
    for resource in architecture.of_kind("AWS::ImageBuilder::InfrastructureConfiguration") {
        let subnet = resource.property("SubnetId");
        if subnet.and_then(Value::as_str).is_none() {
            findings.note(
                resource.id,
                "images are not built in a network other than ours",
            );
        }
        builders.push(Node {
            groups: Some(findings.ids(resource, "SecurityGroupIds")),
            public: true,
            ..Node::new(resource.id, Role::Builder)
        });
    }
    builders
}
