//! Tests that would disturb others on a shared stack: each starts an isolated stack, and kills,
//! pauses or starves parts of it.

#[cfg(test)]
mod disruptive {
    mod automatic_logoff;
    mod chains;
    mod exports;
    mod key_service;
    mod key_service_hop;
    mod kill;
    mod mysql;
    mod writer;
}
