//! Construction of the edge from its configuration.

use std::sync::Arc;

use anyhow::Context;
use certs::MutualClient;
use certs::PublicServer;
use certs::TrustAnchors;
use certs::policy;
use http::HeaderValue;
use telemetry::Collector;

use crate::admission::Admission;
use crate::api_schema::ApiSchema;
use crate::config::Config;
use crate::config::UpstreamConfig;
use crate::edge::Edge;
use crate::lifecycle;
use crate::lifecycle::Shutdown;
use crate::limits::Limits;
use crate::limits::UpstreamLimits;
use crate::metrics;
use crate::metrics::Metrics;
use crate::redirect::Redirect;
use crate::transport::EdgeTransport;
use crate::upstream::UpstreamCounters;
use crate::upstream::Upstreams;
use crate::worker::WorkerContext;

/// Builds the edge, and starts its background tasks: metrics, sweepers, discovery and probes.
pub(crate) async fn build(
    config: Config,
    shutdown: &Shutdown,
) -> anyhow::Result<(WorkerContext, Redirect)> {
    let workers = config.lifecycle.workers();
    let limits = Arc::new(limits(&config));
    let api_schema = Arc::new(ApiSchema::of_app()?);
    let metrics = Metrics::new(api_schema.templates());
    if let Some(address) = config.lifecycle.metrics_listen {
        let listener = lifecycle::listen("WEB_METRICS_LISTEN", None, address).await?;
        let drain = shutdown.drain.clone();
        tokio::spawn(metrics::serve(listener, Arc::clone(&metrics), drain));
    }
    let admission = Admission::new(&limits);
    tokio::spawn(Arc::clone(&admission.requests).run_sweeper());
    tokio::spawn(Arc::clone(&admission.handshakes).run_sweeper());
    metrics.watch_admission(Arc::clone(&admission));
    let edge = Arc::new(Edge {
        origin: config.origin.clone(),
        api_schema: Arc::clone(&api_schema),
        trusted_proxies: Arc::new(config.clients.trusted_proxies),
        admission: Arc::clone(&admission),
        upstreams: upstreams(&config.upstreams, limits.upstream.clone(), &metrics)?,
        metrics: Arc::clone(&metrics),
        traced: config.collector.is_some(),
        draining: shutdown.unready.clone(),
        limits: Arc::clone(&limits),
    });
    let transport = EdgeTransport {
        tls: public(&config.identity, config.versions, &metrics)?,
        admission,
        limits: Arc::clone(&limits),
        trusted_proxies: Arc::clone(&edge.trusted_proxies),
        proxy_protocol: config.clients.proxy_protocol,
        metrics: Arc::clone(&metrics),
    };
    let origin = config.origin;
    let context = WorkerContext {
        edge,
        transport,
        limits: limits.listener(workers),
        shutdown: shutdown.drain.clone(),
    };
    Ok((context, Redirect { origin, api_schema }))
}

/// The default limits, with the configured ones.
fn limits(config: &Config) -> Limits {
    let mut limits = Limits {
        handshakes_per_second: config.clients.handshakes_per_second,
        requests_per_minute: config.clients.requests_per_minute,
        drain_timeout: config.lifecycle.drain,
        ..Limits::default()
    };
    limits.connections.max_per_client = config.clients.connections.into();
    limits.upstream.workers = config.lifecycle.workers();
    limits
}

fn public(
    identity: &certs::IdentityFiles,
    versions: certs::Versions,
    metrics: &Metrics,
) -> anyhow::Result<PublicServer> {
    let public = PublicServer::reloading(identity.clone(), versions)
        .context("WEB_TLS_CERTIFICATE_FILE or WEB_TLS_KEY_FILE cannot be used")?;
    let watched = public.clone();
    metrics.watch_reloads("public certificate", move || watched.reloads());
    Ok(public)
}

fn upstreams(
    config: &UpstreamConfig,
    limits: UpstreamLimits,
    metrics: &Metrics,
) -> anyhow::Result<Arc<Upstreams>> {
    let (files, identity) = (config.files.clone(), config.identity.clone());
    let tls = MutualClient::reloading(files, config.name.clone(), identity)
        .context(
        "WEB_UPSTREAM_CERTIFICATE_FILE, WEB_UPSTREAM_KEY_FILE or WEB_UPSTREAM_CA_FILE cannot be used",
    )?;
    let watched = tls.clone();
    metrics.watch_reloads("upstream identity", move || watched.reloads());
    let host = HeaderValue::try_from(config.name.to_str().as_ref())?;
    let counters = Arc::<UpstreamCounters>::default();
    let source = config.source.clone();
    let upstreams = Upstreams::start(source, host, tls, limits, Arc::clone(&counters))
        .context("the endpoints cannot be read from WEB_UPSTREAMS_FILE")?;
    let upstreams = Arc::new(upstreams);
    let states = Arc::clone(&upstreams);
    metrics.watch_endpoints(counters, move || states.states());
    Ok(upstreams)
}

/// The trace collector, if one is configured.
pub(crate) fn collector(config: &Config) -> anyhow::Result<Option<Collector>> {
    let Some(endpoint) = &config.collector else {
        return Ok(None);
    };
    let tls = match &config.collector_anchors {
        None => None,
        Some(path) => {
            let anchors = TrustAnchors::from_pem_file(path)
                .context("OTEL_EXPORTER_OTLP_CERTIFICATE cannot be used")?;
            Some(Arc::new(policy::https_client(&anchors)?))
        }
    };
    let collector =
        Collector::new(endpoint, tls).context("OTEL_EXPORTER_OTLP_ENDPOINT cannot be used")?;
    Ok(Some(collector))
}
