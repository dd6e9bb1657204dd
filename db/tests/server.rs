//! Tests on a real server: schema, accounts, and every table, written and read.
//!
//! `cargo stack test --only database` runs them on MariaDB and on MySQL; without a server every test fails with a message
//! that says so. Each test has a database of its own.

#[cfg(test)]
mod server {
    mod accounts;
    mod audit;
    mod authenticators;
    mod changes;
    mod chart_access;
    mod clients;
    mod connections;
    mod demographics;
    mod exports;
    mod history;
    mod index_versions;
    mod keys;
    mod lying_views;
    mod migrations;
    mod owners;
    mod patient_index;
    mod people;
    mod release;
    mod resources;
    mod rows;
    mod scratch;
    mod search_summaries;
    mod sessions;
    mod sign_in;
}
