//! Every hop of a request, with peers that must be refused and with peers that must be accepted.
//! The running stack stays unchanged.

#[cfg(test)]
mod hops {
    mod app;
    mod connection;
    mod database;
    mod edge;
    mod identities;
    mod impostor;
    mod key_service;
    mod resumption;
    mod upstream;
}
