//! Tests of the edge on real sockets, between a client and fake endpoints.

mod canonical;
mod layers;
mod logging;
mod passing;
pub(crate) mod reference;
mod refusing;
mod slow_readers;
mod stack;
mod upstreams;
