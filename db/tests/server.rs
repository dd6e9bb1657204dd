//! The crate against a real server: schema, accounts, and every table, written and read.
//!
//! `cargo stack test --only database` runs this once on MariaDB and once on MySQL; without a server every test fails
//! and says so. Each test works in a database of its own.

#[cfg(test)]
mod server {
    mod accounts;
    mod audit;
    mod changes;
    mod connections;
    mod demographics;
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
    mod sessions;
    mod sign_in;
}
