//! The parts of the edge, put together as the configuration says.

use std::sync::Arc;

use anyhow::Context;
use certs::{MutualClient, PublicServer, TrustAnchors, policy};
use http::HeaderValue;
use telemetry::Collector;

use crate::{
    api_schema::ApiSchema,
    config::{Config, UpstreamConfig},
    edge::Edge,
    life::{self, Ending},
    limits::{Limits, Places, Requests, Shed},
    metrics::{self, Metrics},
    redirect::Redirect,
    transport::EdgeTransport,
    upstream::{self, UpstreamCounters, Upstreams},
    worker::Workshop,
};

/// Puts the edge together, and begins what goes on beside it.
pub(crate) async fn parts(config: Config, ending: &Ending) -> anyhow::Result<(Workshop, Redirect)> {
    let mut limits = Limits {
        connections_per_client: config.clients.connections,
        requests_per_minute: config.clients.requests_per_minute,
        drain: config.life.drain,
        ..Limits::default()
    };
    limits.apps.workers = config.life.workers();
    let api_schema = Arc::new(ApiSchema::of_app()?);
    let metrics = Metrics::new(api_schema.templates());
    if let Some(address) = config.life.metrics_listen {
        let listener = life::listen("WEB_METRICS_LISTEN", None, address).await?;
        let shutdown = ending.shutdown.clone();
        tokio::spawn(metrics::serve(listener, Arc::clone(&metrics), shutdown));
    }
    let edge = Arc::new(Edge {
        origin: config.origin.clone(),
        api_schema: Arc::clone(&api_schema),
        trusted_proxies: Arc::new(config.clients.trusted_proxies),
        requests: Requests::new(limits.requests_per_minute),
        shed: Arc::new(Shed::new(limits.ordinary, limits.bulk)),
        upstreams: upstreams(&config.upstreams, limits.apps.clone(), &metrics)?,
        metrics: Arc::clone(&metrics),
        traced: config.collector.is_some(),
        draining: ending.unready.clone(),
        limits: limits.clone(),
    });
    tokio::spawn(Arc::clone(&edge.requests).keep_small());
    metrics.watch_shed(Arc::clone(&edge.shed));
    let transport = EdgeTransport {
        tls: public(&config.identity, config.versions, &metrics)?,
        places: Places::new(limits.connections_per_client),
        trusted_proxies: Arc::clone(&edge.trusted_proxies),
        proxy_protocol: config.clients.proxy_protocol,
        metrics: Arc::clone(&metrics),
    };
    metrics.watch_connections(Arc::clone(&transport.places));
    let origin = config.origin;
    let workshop = Workshop {
        edge,
        transport,
        limits: limits.listener(),
        shutdown: ending.shutdown.clone(),
    };
    Ok((workshop, Redirect { origin, api_schema }))
}

fn public(
    identity: &certs::IdentityFiles,
    versions: certs::Versions,
    metrics: &Metrics,
) -> anyhow::Result<PublicServer> {
    let public = PublicServer::reloading(identity.clone(), versions)
        .context("WEB_TLS_CERTIFICATE_FILE, WEB_TLS_KEY_FILE")?;
    let watched = public.clone();
    metrics.watch_reloads("public certificate", move || watched.reloads());
    Ok(public)
}

fn upstreams(
    config: &UpstreamConfig,
    limits: upstream::Limits,
    metrics: &Metrics,
) -> anyhow::Result<Arc<Upstreams>> {
    let (files, identity) = (config.files.clone(), config.identity.clone());
    let tls = MutualClient::reloading(files, config.name.clone(), identity)
        .context("WEB_UPSTREAM_CERTIFICATE_FILE, WEB_UPSTREAM_KEY_FILE, WEB_UPSTREAM_CA_FILE")?;
    let watched = tls.clone();
    metrics.watch_reloads("identity towards the apps", move || watched.reloads());
    let host = HeaderValue::try_from(config.name.to_str().as_ref())?;
    let counters = Arc::<UpstreamCounters>::default();
    let source = config.source.clone();
    let upstreams = Upstreams::start(source, host, tls, limits, Arc::clone(&counters))
        .context("WEB_UPSTREAMS_FILE")?;
    let upstreams = Arc::new(upstreams);
    let states = Arc::clone(&upstreams);
    metrics.watch_apps(counters, move || states.states());
    Ok(upstreams)
}

/// Where traces go, if anywhere.
pub(crate) fn collector(config: &Config) -> anyhow::Result<Option<Collector>> {
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
