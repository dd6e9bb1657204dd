//! Machines: Auto Scaling groups with their launch templates, launch templates without a group, and image builders.

use serde_json::Value;

use super::Node;
use super::Role;
use crate::architecture::Architecture;
use crate::architecture::Resource;
use crate::reach::diagnostics::Diagnostics;
use crate::reach::values::boolean;
use crate::reach::values::id;
use crate::reach::values::ids;

/// The properties of a network interface that the model supports.
const INTERFACE: &[&str] = &[
    "DeviceIndex",
    "AssociatePublicIpAddress",
    "DeleteOnTermination",
    "Description",
    "SubnetId",
    "Groups",
];

/// Properties of an Auto Scaling group that could give its machines other addresses or clients.
const UNSUPPORTED: &[&str] = &[
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
    diagnostics: &mut Diagnostics,
) -> Vec<Node<'a>> {
    let mut machines = Vec::new();
    let mut used = Vec::new();
    for group in architecture.of_type("AWS::AutoScaling::AutoScalingGroup") {
        for name in UNSUPPORTED
            .iter()
            .filter(|name| group.property(name).is_some())
        {
            diagnostics.note(group.id, format!("the model does not support {name}"));
        }
        let template = diagnostics.id(group, "LaunchTemplate/LaunchTemplateId");
        used.extend(template);
        let template = template.and_then(|id| architecture.resource(id));
        let role = role(group, balancers, diagnostics);
        let (Some(template), Some(role)) = (template, role) else {
            diagnostics.note(
                group.id,
                "the launch template or the role of these machines is not known",
            );
            continue;
        };
        let mut node = Node::new(group.id, role);
        node.subnets = diagnostics.ids(group, "VPCZoneIdentifier");
        interface(template, &mut node, diagnostics);
        machines.push(node);
    }
    let templates = architecture.of_type("AWS::EC2::LaunchTemplate");
    for template in templates.filter(|template| !used.contains(&template.id)) {
        let mut node = Node::new(template.id, Role::Migration);
        interface(template, &mut node, diagnostics);
        machines.push(node);
    }
    machines.extend(builders(architecture, diagnostics));
    machines
}

/// The role of a group, by the load balancer that forwards to it.
fn role(
    group: Resource<'_>,
    balancers: &[Node<'_>],
    diagnostics: &mut Diagnostics,
) -> Option<Role> {
    let targets = diagnostics.ids(group, "TargetGroupARNs");
    let forwards = |balancer: &&Node<'_>| {
        let mut all = balancer
            .listeners
            .iter()
            .flat_map(|listener| &listener.targets);
        all.any(|target| targets.contains(target))
    };
    let mut roles: Vec<Role> = balancers
        .iter()
        .filter(forwards)
        .map(|node| node.role)
        .collect();
    roles.dedup();
    match roles.as_slice() {
        [Role::PublicBalancer] => Some(Role::Web),
        [Role::InternalBalancer] => Some(Role::App),
        _ => {
            diagnostics.note(
                group.id,
                "exactly one load balancer must forward to these machines",
            );
            None
        }
    }
}

/// Adds the security groups, the subnet and the public address of a launch template.
fn interface<'a>(template: Resource<'a>, node: &mut Node<'a>, diagnostics: &mut Diagnostics) {
    let interfaces = template.property("LaunchTemplateData/NetworkInterfaces");
    let Some(interfaces) = interfaces.and_then(Value::as_array) else {
        node.groups = Some(diagnostics.ids(template, "LaunchTemplateData/SecurityGroupIds"));
        return;
    };
    let [interface] = interfaces.as_slice() else {
        diagnostics.note(
            template.id,
            "a launch template must have exactly one network interface",
        );
        return;
    };
    for name in interface
        .as_object()
        .into_iter()
        .flat_map(|found| found.keys())
    {
        if !INTERFACE.contains(&name.as_str()) {
            diagnostics.note(
                template.id,
                format!("the model does not support {name} of an interface"),
            );
        }
    }
    node.groups = interface
        .get("Groups")
        .and_then(ids)
        .or_else(|| Some(Vec::new()));
    if let Some(subnet) = interface.get("SubnetId") {
        match id(subnet) {
            // An Auto Scaling group sets the subnet itself.
            Some(subnet) if node.subnets.is_empty() => node.subnets.push(subnet),
            _ => diagnostics.note(template.id, "SubnetId cannot be read"),
        }
    }
    // By default the subnet decides: `Model::new` adds that.
    node.public = interface
        .get("AssociatePublicIpAddress")
        .is_some_and(|value| boolean(value) != Some(false));
}

/// Image builders. They must be in another network, because they need a route to the internet.
fn builders<'a>(architecture: &'a Architecture, diagnostics: &mut Diagnostics) -> Vec<Node<'a>> {
    let mut builders = Vec::new();
    for resource in architecture.of_type("AWS::ImageBuilder::InfrastructureConfiguration") {
        let subnet = resource.property("SubnetId");
        if subnet.and_then(Value::as_str).is_none() {
            diagnostics.note(resource.id, "images must be built in another network");
        }
        builders.push(Node {
            groups: Some(diagnostics.ids(resource, "SecurityGroupIds")),
            public: true,
            ..Node::new(resource.id, Role::ImageBuilder)
        });
    }
    builders
}
