//! Who can open a connection to whom, computed from the assembled document.
//!
//! The nodes are the internet, load balancers, groups of machines, databases and endpoints. Between
//! two of them something flows if a route leads there, the security groups of both let it pass, and
//! so do the network ACLs before both subnets, in both directions: an ACL remembers nothing, so that
//! answers need entries too. What is forbidden is asked in the widest sense (could any address, any
//! port get through?), what is needed in the narrowest (does every address get through?).
//!
//! The model refuses what it does not know. A type of resource that it has never heard of, a rule
//! with a value it can't read, a machine in a group that stands nowhere: each is a finding, and with
//! a finding no rule passes.
//!
//! A network ACL cannot tell an answer from a request: what it opens for answers, TCP from 1024 up,
//! stands open for requests as well. There, security groups are the only wall.
//!
//! Three things no template says, and no rule here can see: what is sent under a tunnel that an
//! operator opens through Session Manager, what the default security group holds (nothing uses it),
//! and the link-local services (time, metadata, the resolver's own address), which no group and no
//! ACL filters.

mod acl;
mod border;
mod flow;
mod graph;
mod group;
mod known;
mod listed;
mod model;
mod network;
mod node;
mod picture;
mod place;
mod read;
mod resolver;
mod rules;
#[cfg(test)]
mod tests;
mod traffic;

pub use picture::draw;
pub use rules::judge;
pub use rules::names;
