//! The nodes of the model: what can open or accept a connection.

mod balancer;
mod database;
mod endpoint;
mod machine;

use super::diagnostics::Diagnostics;
use crate::architecture::Architecture;
pub(crate) use balancer::Listener;
pub(crate) use balancer::TargetGroup;

/// The role of a node, derived from its connections and not from its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Internet,
    /// An internet-facing application load balancer.
    PublicBalancer,
    /// Machines that are targets of a public balancer.
    Web,
    /// An internal network load balancer.
    InternalBalancer,
    /// Machines that are targets of an internal balancer.
    App,
    /// The machine of a launch template that no Auto Scaling group uses.
    Migration,
    Database,
    /// A database that an AWS Backup restore test creates.
    RestoredDatabase,
    /// An interface VPC endpoint.
    InterfaceEndpoint,
    /// A gateway VPC endpoint.
    GatewayEndpoint,
    /// A machine that builds images, in another network.
    ImageBuilder,
}

/// A node.
#[derive(Debug)]
pub(crate) struct Node<'a> {
    pub(crate) id: &'a str,
    pub(crate) role: Role,
    pub(crate) subnets: Vec<&'a str>,
    /// The security groups; none for a node without this filter.
    pub(crate) groups: Option<Vec<&'a str>>,
    /// Whether it has a public address.
    pub(crate) public: bool,
    /// For endpoints, the name of the service; otherwise empty.
    pub(crate) service: &'a str,
    /// For gateway endpoints, the route tables with a route to it.
    pub(crate) route_tables: Vec<&'a str>,
    /// For gateway endpoints, the prefix list of the addresses behind it.
    pub(crate) prefix_list: Option<&'static str>,
    /// For load balancers, the listeners.
    pub(crate) listeners: Vec<Listener<'a>>,
    /// Whether a load balancer preserves the source addresses of its clients.
    pub(crate) preserves_client_ip: bool,
}

impl<'a> Node<'a> {
    fn new(id: &'a str, role: Role) -> Self {
        Self {
            id,
            role,
            subnets: Vec::new(),
            groups: Some(Vec::new()),
            public: false,
            service: "",
            route_tables: Vec::new(),
            prefix_list: None,
            listeners: Vec::new(),
            preserves_client_ip: false,
        }
    }

    /// Whether it opens connections. Services behind endpoints do not.
    pub(crate) fn opens_connections(&self) -> bool {
        !matches!(self.role, Role::InterfaceEndpoint | Role::GatewayEndpoint)
    }

    pub(crate) fn is_tier(&self) -> bool {
        matches!(self.role, Role::Web | Role::App | Role::Migration)
    }

    /// Whether it is a machine, a database, an internal balancer or an interface endpoint.
    pub(crate) fn is_inside(&self) -> bool {
        let outside = [
            Role::Internet,
            Role::PublicBalancer,
            Role::GatewayEndpoint,
            Role::ImageBuilder,
        ];
        !outside.contains(&self.role)
    }

    pub(crate) fn has_group(&self, group: &str) -> bool {
        self.groups.iter().flatten().any(|own| *own == group)
    }
}

/// All nodes, the internet first.
pub(crate) fn nodes<'a>(
    architecture: &'a Architecture,
    diagnostics: &mut Diagnostics,
) -> (Vec<Node<'a>>, Vec<TargetGroup<'a>>) {
    let mut internet = Node::new("the internet", Role::Internet);
    internet.groups = None;
    let targets = balancer::targets(architecture, diagnostics);
    let balancers = balancer::balancers(architecture, &targets, diagnostics);
    let machines = machine::machines(architecture, &balancers, diagnostics);
    let mut nodes = vec![internet];
    nodes.extend(balancers);
    nodes.extend(machines);
    nodes.extend(database::databases(architecture, diagnostics));
    nodes.extend(database::restored(architecture, diagnostics));
    nodes.extend(endpoint::endpoints(architecture, diagnostics));
    (nodes, targets)
}
