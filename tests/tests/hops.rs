//! Every hop of the way of a request, tried by whoever should not be let in, and by whoever should. All of it
//! leaves the running stack as it was.

#[cfg(test)]
mod hops {
    mod app;
    mod database;
    mod edge;
    mod identities;
    mod impostor;
    mod key_service;
    mod resumption;
    mod upstream;
    mod wire;
}
