//! Serving: listener, router, background tasks, and shutdown.

use anyhow::Context as _;
use certs::IdentityFiles;
use certs::MutualFiles;
use certs::MutualServer;
use listener::Http1;
use listener::Limits;
use telemetry::service_manager;
use telemetry::service_manager::State;
use tokio::net::TcpListener;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio_util::sync::CancellationToken;

use crate::boot::config::ServerConfig;
use crate::boot::lifecycle;
use crate::http::router::router;
use crate::http::state::AppState;
use crate::services::background::spawn_forever;

/// Serves until SIGTERM or SIGINT, then drains requests in flight.
///
/// # Errors
///
/// Certificates that cannot be loaded, or an address that cannot be bound.
pub(crate) async fn serve(app: AppState, config: &ServerConfig) -> anyhow::Result<()> {
    let identity = IdentityFiles {
        certificate: config.certificate_file.clone(),
        key: config.key_file.clone(),
    };
    let files = MutualFiles {
        identity,
        anchors: config.client_ca_file.clone(),
    };
    let server = MutualServer::reloading(files, config.client_identity.clone())?;
    let socket = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("APP_LISTEN {} cannot be bound", config.listen))?;
    tracing::info!(address = %config.listen, "listening");
    let shutdown = CancellationToken::new();
    tokio::spawn(cancel_on_signal(shutdown.clone()));
    tokio::spawn(lifecycle::watchdog());
    tokio::spawn(lifecycle::notify_ready(app.clone()));
    let trail = app.trail.clone();
    spawn_forever("refusals", move || trail.clone().flush_refusals());
    let scrubber = app.scrubber.clone();
    spawn_forever("scrubber", move || scrubber.clone().run());
    let sign_in = app.sign_in.clone();
    spawn_forever("sign-in", move || sign_in.clone().maintain());
    if let Some(exports) = app.exports.clone() {
        spawn_forever("exports", move || exports.clone().sweep());
    }
    let limits = Limits {
        drain_timeout: config.drain,
        ..Limits::internal()
    };
    let drained = listener::serve(socket, server, Http1(router(&app)), limits, shutdown).await;
    tracing::info!(?drained, "stopped");
    if let Err(error) = access::flush_refusals(&app.trail, access::Windows::All).await {
        tracing::warn!(%error, "suppressed refusals cannot be recorded");
    }
    if let Err(error) = app.sign_in.record_summaries(true).await {
        tracing::warn!(%error, "counted sign-in refusals cannot be recorded");
    }
    app.readiness.close().await;
    Ok(())
}

async fn cancel_on_signal(shutdown: CancellationToken) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        tracing::error!("signal handlers cannot be installed");
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    shutdown.cancel();
    service_manager::notify_reliably(State::Stopping).await;
}
