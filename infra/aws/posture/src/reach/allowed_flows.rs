//! The allowed flows: the list that all rules compare with.

use super::node::Node;
use super::node::Role;
use super::traffic::Protocol;
use super::traffic::Traffic;

/// A flow that the architecture requires.
#[derive(Debug)]
pub(crate) struct AllowedFlow {
    pub(crate) from: Role,
    pub(crate) to: Role,
    pub(crate) ports: &'static [u16],
    /// The protocol, for the diagram.
    pub(crate) protocol: &'static str,
}

/// All allowed flows.
pub(crate) const ALLOWED_FLOWS: &[AllowedFlow] = &[
    flow(
        Role::Internet,
        Role::PublicBalancer,
        &[80, 443],
        "HTTPS; 80 redirects",
    ),
    flow(Role::PublicBalancer, Role::Web, &[8443], "HTTPS"),
    flow(Role::Web, Role::InternalBalancer, &[9443], "mutual TLS"),
    flow(
        Role::InternalBalancer,
        Role::App,
        &[9443],
        "mutual TLS, passed through",
    ),
    flow(Role::App, Role::Database, &[3306], "MySQL over TLS"),
    flow(Role::Migration, Role::Database, &[3306], "MySQL over TLS"),
    flow(Role::Web, Role::InterfaceEndpoint, &[443], "HTTPS"),
    flow(Role::App, Role::InterfaceEndpoint, &[443], "HTTPS"),
    flow(Role::Migration, Role::InterfaceEndpoint, &[443], "HTTPS"),
    flow(Role::Web, Role::GatewayEndpoint, &[443], "HTTPS"),
    flow(Role::App, Role::GatewayEndpoint, &[443], "HTTPS"),
    flow(Role::Migration, Role::GatewayEndpoint, &[443], "HTTPS"),
    flow(Role::ImageBuilder, Role::Internet, &[443], "HTTPS"),
    // The image builder is a machine on the internet.
    flow(Role::ImageBuilder, Role::PublicBalancer, &[443], "HTTPS"),
];

/// The only path from the internet to the database.
pub(crate) const DATABASE_PATH: &[Role] = &[
    Role::Internet,
    Role::PublicBalancer,
    Role::Web,
    Role::InternalBalancer,
    Role::App,
    Role::Database,
];

/// The services of AWS that may have an endpoint.
pub(crate) const ALLOWED_SERVICES: &[&str] = &[
    "acm-pca",
    "backup",
    "ec2messages",
    "kms",
    "logs",
    "monitoring",
    "s3",
    "secretsmanager",
    "ssm",
    "ssmmessages",
    "sts",
    "xray",
];

/// The domains that the DNS firewall may allow.
pub(crate) const ALLOWED_DOMAINS: &[&str] = &["*.amazonaws.com", "*.internal"];

/// The ephemeral ports, to which responses go: those of Linux, of AWS's load balancers and of clients on the internet
/// together.
pub(crate) fn response_ports() -> Traffic {
    Traffic::range(Protocol::Tcp, 1024, u16::MAX)
}

/// The allowed traffic between two nodes.
pub(crate) fn allowed_between(from: &Node<'_>, to: &Node<'_>) -> Traffic {
    ALLOWED_FLOWS
        .iter()
        .filter(|flow| flow.from == from.role && flow.to == to.role)
        .flat_map(|flow| flow.ports)
        .fold(Traffic::none(), |all, port| all.union(&Traffic::tcp(*port)))
}

const fn flow(from: Role, to: Role, ports: &'static [u16], protocol: &'static str) -> AllowedFlow {
    AllowedFlow {
        from,
        to,
        ports,
        protocol,
    }
}
