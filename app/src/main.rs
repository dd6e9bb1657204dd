#![doc = include_str!("../README.md")]

mod boot;
mod http;
mod limits;
mod services;

use std::process::ExitCode;

use clap::Parser as _;

use boot::allocator;
use boot::command;
use boot::command::Arguments;
use boot::command::Command;
use boot::config::Config;
use boot::config::Reader;

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
    let reader = Reader::environment();
    match Config::read(&reader) {
        Ok(_config) if matches!(command, Command::Check) => {
            command::report_unknown_variables(&reader.unknown())
        }
        Ok(config) => command::run(&command, &config),
        Err(error) => {
            eprintln!("app: {error}");
            ExitCode::from(command::EX_USAGE)
        }
    }
}
