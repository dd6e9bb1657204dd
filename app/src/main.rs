#![doc = include_str!("../README.md")]

mod boot;
mod http;
mod limits;
mod services;

use std::process::ExitCode;

use clap::Parser as _;
use settings::Reader;

use boot::allocator;
use boot::command;
use boot::command::Arguments;
use boot::command::Command;
use boot::config::Config;
use boot::config::PREFIXES;

fn main() -> ExitCode {
    if let Err(error) = certs::protect_memory() {
        eprintln!("app: core dumps cannot be disabled: {error}");
        return ExitCode::FAILURE;
    }
    let command = Arguments::parse().command();
    if matches!(command, Command::Serve) {
        allocator::configure();
    }
    if let Command::Keyring { out } = &command {
        return command::create_keyring(out);
    }
    if let Command::Openapi { out } = &command {
        return command::write_openapi(out);
    }
    let reader = Reader::from_environment(&PREFIXES);
    if matches!(command, Command::Check) {
        return match reader.check(Config::read) {
            Ok(_) => ExitCode::SUCCESS,
            Err(errors) => errors.report("app"),
        };
    }
    match reader.read(Config::read) {
        Ok(config) => command::run(&command, &config),
        Err(errors) => errors.report("app"),
    }
}
