//! The command line and its commands.

use std::fmt::Display;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use clap::Subcommand;
use phi::DevelopmentKeyring;
use telemetry::Collector;
use telemetry::Guard;

use crate::boot::config::Config;
use crate::boot::finish;
use crate::boot::provision;
use crate::boot::serve;
use crate::boot::wiring;
use crate::http::router;
use crate::http::state::AppState;
use crate::services::clock::Clock;
use crate::services::scrub::Findings;

/// The app tier: FHIR and workflow API, pages, sealing, audit. Everything else is set by
/// environment variables.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

impl Arguments {
    /// The command; [`Command::Serve`] if none is named.
    pub(crate) fn command(self) -> Command {
        self.command.unwrap_or(Command::Serve)
    }
}

/// A command of the program.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve requests until SIGTERM or SIGINT (the default).
    Serve,
    /// Check the configuration. Exits with 0 if it is valid, with 64 and a reason otherwise.
    Check,
    /// Create organizations and people from JSON on standard input. May be repeated.
    Provision,
    /// Compare every stored row with the audit log once. Exits with 0 if all are as they were
    /// written.
    Scrub,
    /// Finish an upgrade: raise the release floor to this build's release. Builds of earlier
    /// releases can no longer write, and this cannot be undone: run it once none of them serves any
    /// more. May be repeated.
    ///
    /// Example: `cargo stack upgrade finish`, or `docker compose run --rm app finish`
    Finish,
    /// Write the `OpenAPI` 3.1 document, generated from the handlers.
    Openapi {
        /// The file to write: `app/openapi.json`, which is compiled into both tiers.
        #[arg(long)]
        out: PathBuf,
    },
    /// Create a development keyring: root keys in a file, for machines without a key service.
    Keyring {
        /// The file to create; it must not exist.
        #[arg(long)]
        out: PathBuf,
    },
}

/// `app keyring`: creates a development keyring.
pub(crate) fn create_keyring(out: &Path) -> ExitCode {
    match DevelopmentKeyring::create(out) {
        Ok(_keyring) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("app keyring: {}: {error}", out.display());
            ExitCode::FAILURE
        }
    }
}

/// `app openapi`: writes the `OpenAPI` document.
pub(crate) fn write_openapi(out: &Path) -> ExitCode {
    let written = router::description().and_then(|document| Ok(std::fs::write(out, document)?));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("app openapi: {}: {error:#}", out.display());
            ExitCode::FAILURE
        }
    }
}

/// Runs a command that needs a configuration.
pub(crate) fn run(command: &Command, config: &Config) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("app: the async runtime cannot be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run_async(command, config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("app: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run_async(command: &Command, config: &Config) -> anyhow::Result<()> {
    let _telemetry = init_telemetry(config)?;
    let app = wiring::build(config, Clock).await?;
    match command {
        Command::Serve => serve::serve(app, &config.server).await,
        Command::Provision => {
            let mut input = String::new();
            std::io::stdin()
                .read_to_string(&mut input)
                .context("standard input cannot be read")?;
            print(provision::provision(&app, &input).await?);
            Ok(())
        }
        Command::Finish => {
            print(finish::finish(&app).await?);
            Ok(())
        }
        Command::Scrub => scrub(&app).await,
        Command::Check | Command::Openapi { .. } | Command::Keyring { .. } => Ok(()),
    }
}

async fn scrub(app: &AppState) -> anyhow::Result<()> {
    let findings = app.scrubber.pass(Duration::ZERO).await?;
    let Findings {
        events,
        rows,
        tampered,
    } = findings;
    print(format!("{events} events and {rows} rows were compared"));
    anyhow::ensure!(
        tampered == 0,
        "{tampered} of them are not as they were written: each is logged with \"security\": true"
    );
    Ok(())
}

/// Prints a command's result.
#[expect(clippy::print_stdout, reason = "the command's result")]
fn print(result: impl Display) {
    println!("{result}");
}

fn init_telemetry(config: &Config) -> anyhow::Result<Guard> {
    let collector = match &config.otlp_endpoint {
        Some(endpoint) => Some(
            Collector::new(endpoint, None).context("OTEL_EXPORTER_OTLP_ENDPOINT cannot be used")?,
        ),
        None => None,
    };
    Ok(telemetry::init("app", config.log, collector)?)
}
