//! The crate against a real server: schema, accounts, and every table's way there and back.
//!
//! `cargo stack test --only database` runs this once on MariaDB and once on MySQL; without a server
//! every test fails and says so. Each test works in a database of its own.

#[cfg(test)]
mod server {
    mod accounts;
    mod audit;
    mod connections;
    mod demographics;
    mod keys;
    mod migrations;
    mod people;
    mod resources;
    mod rows;
    mod scratch;
    mod tokens;
}
