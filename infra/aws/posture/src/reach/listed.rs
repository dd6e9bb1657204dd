//! What may be reached from where: the one list that everything else is held against.

use super::node::Node;
use super::node::Role;
use super::traffic::Protocol;
use super::traffic::Traffic;

/// A flow that the architecture needs.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) from: Role,
    pub(crate) to: Role,
    pub(crate) ports: &'static [u16],
    /// What it is, for the picture.
    pub(crate) carries: &'static str,
}

/// All of them.
pub(crate) const FLOWS: &[Listed] = &[
    flow(
        Role::Internet,
        Role::FrontBalancer,
        &[80, 443],
        "HTTPS, to which 80 sends on",
    ),
    flow(Role::FrontBalancer, Role::Web, &[8443], "HTTPS"),
    flow(Role::Web, Role::InnerBalancer, &[9443], "mutual TLS"),
    flow(
        Role::InnerBalancer,
        Role::App,
        &[9443],
        "the same, unbroken",
    ),
    flow(Role::App, Role::Database, &[3306], "MySQL over TLS"),
    flow(Role::Migration, Role::Database, &[3306], "MySQL over TLS"),
    flow(Role::Web, Role::Endpoint, &[443], "HTTPS"),
    flow(Role::App, Role::Endpoint, &[443], "HTTPS"),
    flow(Role::Migration, Role::Endpoint, &[443], "HTTPS"),
    flow(Role::Web, Role::Gateway, &[443], "HTTPS"),
    flow(Role::App, Role::Gateway, &[443], "HTTPS"),
    flow(Role::Migration, Role::Gateway, &[443], "HTTPS"),
    flow(Role::Builder, Role::Internet, &[443], "HTTPS"),
    // As everybody on the internet can.
    flow(Role::Builder, Role::FrontBalancer, &[443], "HTTPS"),
];

/// The only way from the internet to the database.
pub(crate) const CHAIN: &[Role] = &[
    Role::Internet,
    Role::FrontBalancer,
    Role::Web,
    Role::InnerBalancer,
    Role::App,
    Role::Database,
];

/// The services of AWS that an endpoint may stand for.
pub(crate) const SERVICES: &[&str] = &[
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

/// The names that the resolver may ask the world for.
pub(crate) const NAMES: &[&str] = &["*.amazonaws.com", "*.internal"];

/// The prefix lists that AWS keeps of its S3 addresses, by region.
pub(crate) const S3_PREFIX_LISTS: &[(&str, &str)] = &[
    ("us-east-1", "pl-63a5400a"),
    ("us-east-2", "pl-7ba54012"),
    ("us-west-1", "pl-6ba54002"),
    ("us-west-2", "pl-68a54001"),
];

/// Ports from which a connection may be opened, and to which its answers go: those of all systems
/// together, of AWS's load balancers and of the internet's machines.
pub(crate) fn answers() -> Traffic {
    Traffic::of(Protocol::Tcp, 1024, u16::MAX)
}

/// What is listed between two nodes.
pub(crate) fn between(from: &Node<'_>, to: &Node<'_>) -> Traffic {
    FLOWS
        .iter()
        .filter(|flow| flow.from == from.role && flow.to == to.role)
        .flat_map(|flow| flow.ports)
        .fold(Traffic::nothing(), |all, port| {
            all.and(&Traffic::tcp(*port))
        })
}

const fn flow(from: Role, to: Role, ports: &'static [u16], carries: &'static str) -> Listed {
    Listed {
        from,
        to,
        ports,
        carries,
    }
}
