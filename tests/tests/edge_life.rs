//! How web begins and ends, as the service manager, a load balancer and the clients see it: the real
//! program, with sockets that the test holds, and an app that only answers.

#[cfg(test)]
mod edge_life {
    mod balancer;
    mod handover;
    mod manager;
    mod program;
    mod surroundings;
}
