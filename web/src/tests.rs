//! The edge on real sockets: a client on one side, apps on the other.

mod canonical;
mod layers;
mod logging;
mod passing;
pub(crate) mod reference;
mod refusing;
mod stack;
mod upstreams;
