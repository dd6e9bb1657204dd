//! The lifecycle of web as the service manager, a load balancer and clients see it: the real
//! program, with sockets that the test holds, and an app that only echoes the client's address.

#[cfg(test)]
mod edge_life {
    mod environment;
    mod handover;
    mod program;
    mod proxy_protocol;
    mod service_manager;
}
