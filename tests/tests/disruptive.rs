//! What would disturb whoever shares a stack: each test here brings up one of its own, and kills, halts or starves
//! parts of it.

#[cfg(test)]
mod disruptive {
    mod chains;
    mod key_service;
    mod key_service_hop;
    mod kill;
    mod logoff;
    mod other_server;
    mod writer;
}
