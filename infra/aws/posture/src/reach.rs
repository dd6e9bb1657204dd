//! Network reachability: which node can open a connection to which, computed from the assembled document.
//!
//! The nodes are the internet, load balancers, groups of machines, databases and VPC endpoints. A node reaches another
//! if there is a route, the security groups of both allow the traffic, and so do the network ACLs of both subnets in
//! both directions: ACLs are stateless, so responses need entries too. Prohibitions are checked with an existential
//! quantifier (does any address, any port get through?), requirements with a universal one (does every address get
//! through?).
//!
//! The model rejects what it does not support. An unknown resource type, a rule with a value that cannot be read, a
//! machine whose security group does not exist: each is a diagnostic, and with a diagnostic no rule passes.
//!
//! A network ACL cannot distinguish a response from a request: TCP ports from 1024 up, open for responses, are open for
//! requests as well. Of those ports, security groups are the only filter.
//!
//! Not in the templates, and so not in the model: traffic through a Session Manager tunnel that an operator opens, the
//! rules of the default security group (nothing uses it), and the link-local services (time, metadata, DNS), which
//! neither groups nor ACLs filter.

mod acl;
mod addresses;
mod allowed_flows;
mod connectivity;
mod diagnostics;
mod diagram;
mod dns_firewall;
mod graph;
mod model;
mod network;
mod node;
mod prefix_lists;
mod resource_types;
mod rules;
mod security_group;
mod subnet_boundary;
mod traffic;
mod values;

pub use diagram::draw;
pub use rules::evaluate;
pub use rules::names;

#[cfg(test)]
mod tests;
