#![doc = include_str!("../README.md")]

mod access_log;
mod api_schema;
mod assemble;
mod body;
mod check;
mod chunked;
mod client;
mod config;
mod conversation;
mod edge;
mod header_grammar;
mod headers;
mod health;
mod http1;
mod life;
mod limits;
mod metrics;
mod problem;
mod redirect;
mod screen;
#[cfg(test)]
mod tests;
mod transport;
mod upstream;
mod worker;
mod written;

use std::process::ExitCode;

use certs::{
    listener::{self, Drained, Http},
    policy,
};
use http::Request;
use hyper::body::Incoming;
use tower::service_fn;

use crate::{
    config::Config,
    life::{Pulse, Sockets},
    transport::PlainTransport,
    worker::Workers,
};

/// `EX_USAGE` of sysexits.h: the configuration is wrong; starting again won't help.
const MISCONFIGURED: u8 = 64;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        None => run(),
        Some("check") => check::check(),
        Some(_) => {
            eprintln!("web: there is one command, `web check`; without it, web serves");
            ExitCode::from(MISCONFIGURED)
        }
    }
}

fn run() -> ExitCode {
    if let Err(error) = certs::protect_memory() {
        eprintln!("web: core dumps cannot be forbidden: {error}");
        return ExitCode::FAILURE;
    }
    let config = match Config::read(|name| std::env::var(name).ok()) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("web: {error}");
            return ExitCode::from(MISCONFIGURED);
        }
    };
    // Before there are other threads: what was handed to us stands in the environment.
    let sockets = match Sockets::inherited(|name| std::env::var(name).ok()) {
        Ok(sockets) => sockets,
        Err(error) => {
            eprintln!("web: {error}");
            return ExitCode::from(MISCONFIGURED);
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
    let https = life::listen("WEB_LISTEN", sockets.https()?, config.listen).await?;
    let http = life::listen(
        "WEB_REDIRECT_LISTEN",
        sockets.http()?,
        config.redirect_listen,
    )
    .await?;
    let ending = life::on_signal(config.life.unready)?;
    let workers = config.life.workers();
    let (workshop, redirect) = assemble::parts(config, &ending).await?;
    let (limits, shutdown) = (workshop.limits.clone(), ending.shutdown);

    let (on, fips) = (https.local_addr()?, policy::is_fips());
    tracing::info!(https = %on, http = %http.local_addr()?, workers, fips, "serving");
    let pulse = Pulse::new(workers);
    let at_work = Workers::start(workers, &https.into_std()?, &workshop, &pulse)?;
    tokio::spawn(life::watchdog(pulse));
    let plain = PlainTransport(workshop.transport.clone());
    tokio::spawn(life::announce(move || {
        workshop.edge.upstreams.is_any_ready()
    }));
    let sent_on = service_fn(move |request: Request<Incoming>| {
        std::future::ready(Ok(redirect.answer(&request)))
    });
    let (drained, _) = tokio::join!(
        at_work.ended(),
        listener::serve(http, plain, Http(sent_on), limits, shutdown),
    );
    match drained? {
        Drained::Complete => tracing::info!("every request was answered; the end"),
        Drained::Cut(connections) => tracing::warn!(connections, "cut at the deadline"),
    }
    Ok(())
}
