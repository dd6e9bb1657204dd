#![doc = include_str!("../README.md")]

mod access;
mod api;
mod authentication;
mod caller;
mod clock;
mod command;
mod config;
mod edge;
mod fhir;
mod health;
mod identity;
mod keys;
mod ledger;
mod life;
mod pages;
mod problem;
mod provision;
mod records;
mod roster;
mod router;
mod serve;
mod sign_in;
mod state;

use std::process::ExitCode;

use clap::Parser as _;

use command::{Arguments, Command};
use config::{Config, Reader};

fn main() -> ExitCode {
    if let Err(error) = certs::protect_memory() {
        eprintln!("app: core dumps cannot be forbidden: {error}");
        return ExitCode::FAILURE;
    }
    let command = Arguments::parse().command();
    if let Command::Keyring { out } = &command {
        return command::make_keyring(out);
    }
    let reader = Reader::environment();
    match Config::read(&reader) {
        Ok(_config) if matches!(command, Command::Check) => command::check(&reader.unknown()),
        Ok(config) => command::run(&command, &config),
        Err(error) => {
            eprintln!("app: {error}");
            ExitCode::from(command::EX_USAGE)
        }
    }
}
