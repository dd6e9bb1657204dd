#![doc = include_str!("../README.md")]

mod access_log;
mod body;
mod config;
mod edge;
mod headers;
mod health;
mod problem;
mod redirect;
mod route;
mod screen;
#[cfg(test)]
mod tests;
mod upstream;

use std::{net::SocketAddr, process::ExitCode, sync::Arc};

use anyhow::Context;
use certs::{
    MutualClient, PublicServer, TrustAnchors,
    listener::{self, Drained, Limits, Plaintext},
    policy,
};
use http::{HeaderValue, Request};
use hyper::body::Incoming;
use telemetry::Collector;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;
use tower::service_fn;

use crate::{
    config::{Config, UpstreamConfig},
    edge::Edge,
    upstream::Upstreams,
};

/// `EX_USAGE` of sysexits.h: the configuration is wrong; starting again won't help.
const MISCONFIGURED: u8 = 64;

fn main() -> ExitCode {
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
    match serve(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("web: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn serve(config: Config) -> anyhow::Result<()> {
    let _telemetry = telemetry::init("web", config.log, collector(&config)?)?;
    let public = PublicServer::reloading(config.identity.clone(), config.versions)
        .context("WEB_TLS_CERTIFICATE_FILE, WEB_TLS_KEY_FILE")?;
    let upstreams = upstreams(&config.upstreams)?;
    let https = bind("WEB_LISTEN", config.listen).await?;
    let http = bind("WEB_REDIRECT_LISTEN", config.redirect_listen).await?;

    let shutdown = on_signal()?;
    let edge = Arc::new(Edge {
        origin: config.origin.clone(),
        upstreams,
        draining: shutdown.clone(),
    });
    let answer = service_fn(move |request| Arc::clone(&edge).answer(request));
    let origin = Arc::new(config.origin);
    let redirect = service_fn(move |request: Request<Incoming>| {
        std::future::ready(Ok(redirect::answer(&origin, &request)))
    });

    tracing::info!(https = %config.listen, http = %config.redirect_listen, "serving");
    let limits = Limits {
        drain: config.drain,
        ..Limits::public()
    };
    let (drained, _) = tokio::join!(
        listener::serve(https, public, answer, limits.clone(), shutdown.clone()),
        listener::serve(http, Plaintext, redirect, limits, shutdown),
    );
    match drained {
        Drained::Complete => tracing::info!("every request was answered; the end"),
        Drained::Cut(connections) => tracing::warn!(connections, "cut at the deadline"),
    }
    Ok(())
}

fn upstreams(config: &UpstreamConfig) -> anyhow::Result<Upstreams> {
    let tls = MutualClient::reloading(
        config.files.clone(),
        config.name.clone(),
        config.identity.clone(),
    )
    .context("WEB_UPSTREAM_CERTIFICATE_FILE, WEB_UPSTREAM_KEY_FILE, WEB_UPSTREAM_CA_FILE")?;
    let host = HeaderValue::try_from(config.name.to_str().as_ref())?;
    Ok(Upstreams::new(&config.addresses, host, &tls))
}

fn collector(config: &Config) -> anyhow::Result<Option<Collector>> {
    let Some(endpoint) = &config.collector else {
        return Ok(None);
    };
    let tls = match &config.collector_anchors {
        None => None,
        Some(path) => {
            let anchors =
                TrustAnchors::from_pem_file(path).context("OTEL_EXPORTER_OTLP_CERTIFICATE")?;
            Some(Arc::new(policy::https_client(&anchors)?))
        }
    };
    let collector = Collector::new(endpoint, tls).context("OTEL_EXPORTER_OTLP_ENDPOINT")?;
    Ok(Some(collector))
}

async fn bind(variable: &'static str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("{variable}: can't listen on {address}; is another process there?")
    })
}

/// Cancelled by SIGTERM or SIGINT.
fn on_signal() -> anyhow::Result<CancellationToken> {
    let token = CancellationToken::new();
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let (mut signal, token) = (signal(kind)?, token.clone());
        tokio::spawn(async move {
            signal.recv().await;
            token.cancel();
        });
    }
    Ok(token)
}
