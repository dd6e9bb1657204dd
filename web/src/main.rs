#![doc = include_str!("../README.md")]

mod access_log;
mod admission;
mod api_schema;
mod assemble;
mod client;
mod config;
mod edge;
mod edge_handler;
mod h2;
mod handler;
mod header_grammar;
mod headers;
mod health;
mod http1;
mod http_date;
mod lifecycle;
mod limits;
mod metrics;
mod per_worker;
mod problem;
mod redirect;
mod request_body;
mod response_body;
mod screen;
#[cfg(test)]
mod tests;
mod timer;
mod transport;
mod upstream;
mod worker;

use std::process::ExitCode;

use certs::policy;
use futures::FutureExt;
use http::Request;
use hyper::body::Incoming;
use listener::Drained;
use listener::Http1;
use settings::EX_USAGE;
use settings::Reader;
use tower::service_fn;

use crate::config::Config;
use crate::lifecycle::Heartbeat;
use crate::lifecycle::Sockets;
use crate::transport::PlaintextTransport;
use crate::worker::Workers;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        None => run(),
        Some("check") => check(),
        Some(_) => {
            eprintln!("web: unknown command; the commands are `web` and `web check`");
            ExitCode::from(EX_USAGE)
        }
    }
}

/// Validates the configuration without starting the server, and prints its errors.
fn check() -> ExitCode {
    match Reader::from_environment(&config::PREFIXES).check(Config::read) {
        Ok(_) => ExitCode::SUCCESS,
        Err(errors) => errors.report("web"),
    }
}

fn run() -> ExitCode {
    if let Err(error) = certs::protect_memory() {
        eprintln!("web: core dumps cannot be forbidden: {error}");
        return ExitCode::FAILURE;
    }
    let config = match Reader::from_environment(&config::PREFIXES).read(Config::read) {
        Ok(config) => config,
        Err(errors) => return errors.report("web"),
    };
    // Before other threads start: the environment names the inherited sockets.
    let sockets = match Sockets::inherited(|name| std::env::var(name).ok()) {
        Ok(sockets) => sockets,
        Err(error) => {
            eprintln!("web: {error}");
            return ExitCode::from(EX_USAGE);
        }
    };
    match serve(config, sockets) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("web: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(worker_threads = 1)]
async fn serve(config: Config, mut sockets: Sockets) -> anyhow::Result<()> {
    let _telemetry = telemetry::init("web", config.log, assemble::collector(&config)?)?;
    let https = lifecycle::listen("WEB_LISTEN", sockets.https()?, config.listen).await?;
    let http = lifecycle::listen(
        "WEB_REDIRECT_LISTEN",
        sockets.http()?,
        config.redirect_listen,
    )
    .await?;
    let shutdown = lifecycle::on_signal(config.lifecycle.unready)?;
    let workers = config.lifecycle.workers();
    let (context, redirect) = assemble::build(config, &shutdown).await?;
    let (limits, drain) = (context.limits.clone(), shutdown.drain);

    let (address, fips) = (https.local_addr()?, policy::is_fips());
    tracing::info!(https = %address, http = %http.local_addr()?, workers, fips, "serving");
    let heartbeat = Heartbeat::new(workers);
    let running = Workers::start(workers, &https.into_std()?, &context, &heartbeat)?;
    tokio::spawn(lifecycle::watchdog(heartbeat));
    let plain = PlaintextTransport(context.transport.clone());
    tokio::spawn(lifecycle::notify_ready(move || {
        context.edge.upstreams.is_any_ready()
    }));
    let redirects = service_fn(move |request: Request<Incoming>| {
        std::future::ready(Ok(redirect.respond(&request)))
    });
    let redirect = listener::serve(http, plain, Http1(redirects), limits, drain);
    // A worker that fails ends the process: the service manager starts it again.
    let (drained, _) = tokio::try_join!(running.join(), redirect.map(Ok))?;
    match drained {
        Drained::Complete => tracing::info!("drained: every request was completed"),
        Drained::Forced(connections) => {
            tracing::warn!(connections, "connections closed at the deadline");
        }
    }
    Ok(())
}
