//! What can open a connection or take one.

mod balancer;
mod database;
mod endpoint;
mod machine;

use super::read::Findings;
use crate::Architecture;
pub(crate) use balancer::Listener;
pub(crate) use balancer::Targets;

/// The part that something plays, found by how it is connected and never by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Internet,
    /// An internet-facing application load balancer.
    FrontBalancer,
    /// Machines that a front balancer sends to.
    Web,
    /// An internal network load balancer.
    InnerBalancer,
    /// Machines that an inner balancer sends to.
    App,
    /// A launch template that no Auto Scaling group uses: a machine for one task.
    Migration,
    Database,
    /// A database that AWS Backup restores as a test.
    RestoredDatabase,
    /// An interface endpoint.
    Endpoint,
    /// A gateway endpoint.
    Gateway,
    /// A machine that builds images, in another network.
    Builder,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Node<'a> {
    pub(crate) id: &'a str,
    pub(crate) role: Role,
    pub(crate) subnets: Vec<&'a str>,
    /// None has no security groups at all: everything passes.
    pub(crate) groups: Option<Vec<&'a str>>,
    /// Whether it has a public address.
    pub(crate) public: bool,
    /// For endpoints, the service's name; otherwise nothing.
    pub(crate) service: &'a str,
    /// For gateway endpoints, the route tables that lead to it.
    pub(crate) route_tables: Vec<&'a str>,
    /// For gateway endpoints, the list of the addresses behind it.
    pub(crate) prefix_list: Option<&'static str>,
    /// For load balancers, what they listen to.
    pub(crate) listeners: Vec<Listener<'a>>,
    /// For balancers that show their targets the addresses of their clients.
    pub(crate) shows_clients: bool,
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
            shows_clients: false,
        }
    }

    /// Whether it ever opens a connection by itself. Behind an endpoint stands AWS, which doesn't.
    pub(crate) fn opens_connections(&self) -> bool {
        !matches!(self.role, Role::Endpoint | Role::Gateway)
    }

    pub(crate) fn is_tier(&self) -> bool {
        matches!(self.role, Role::Web | Role::App | Role::Migration)
    }

    /// Whether it is a machine or a database, or a balancer inside.
    pub(crate) fn is_inside(&self) -> bool {
        let outside = [
            Role::Internet,
            Role::FrontBalancer,
            Role::Gateway,
            Role::Builder,
        ];
        !outside.contains(&self.role)
    }

    pub(crate) fn has_group(&self, group: &str) -> bool {
        self.groups.iter().flatten().any(|mine| *mine == group)
    }
}

/// All nodes, the internet first.
pub(crate) fn nodes<'a>(
    architecture: &'a Architecture,
    findings: &mut Findings,
) -> (Vec<Node<'a>>, Vec<Targets<'a>>) {
    let mut internet = Node::new("the internet", Role::Internet);
    internet.groups = None;
    let targets = balancer::targets(architecture, findings);
    let balancers = balancer::balancers(architecture, &targets, findings);
    let machines = machine::machines(architecture, &balancers, findings);
    let mut nodes = vec![internet];
    nodes.extend(balancers);
    nodes.extend(machines);
    nodes.extend(database::databases(architecture, findings));
    nodes.extend(database::restored(architecture, findings));
    nodes.extend(endpoint::endpoints(architecture, findings));
    (nodes, targets)
}
