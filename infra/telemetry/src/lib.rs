#![doc = include_str!("../README.md")]

mod collector;
mod json;
mod output;
mod panics;
mod redact;
mod request_id;
pub mod service_manager;
pub mod trace;

use std::sync::Arc;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_otlp::WithHttpConfig;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter as Level;
use tracing_subscriber::Layer;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::util::TryInitError;

use output::Stdout;

pub use collector::Collector;
pub use collector::CollectorError;
pub use request_id::RequestId;
pub use request_id::X_REQUEST_ID;
pub use tracing::level_filters::LevelFilter;

/// The crates whose log lines follow the configured level. All others are limited to warnings: at
/// finer levels HTTP and SQL libraries log headers and statements.
const CONFIGURED_CRATES: [&str; 9] = [
    "app",
    "audit",
    "certs",
    "db",
    "migrate",
    "phi",
    "stack",
    "telemetry",
    "web",
];

/// Logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The exporter rejects its settings.
    #[error("traces cannot be exported: {0}")]
    Exporter(#[from] ExporterBuildError),
    /// The thread that writes the log cannot be started.
    #[error("the log cannot be written: {0}")]
    Output(#[from] std::io::Error),
    /// The process already has a global subscriber.
    #[error("logging was set up twice: {0}")]
    Twice(#[from] TryInitError),
}

/// Exports the last spans and writes the last lines on drop: held until the end of `main`.
#[must_use = "dropping it ends the export of traces"]
pub struct Guard {
    provider: Option<SdkTracerProvider>,
    output: Arc<Stdout>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.provider.as_ref().map(SdkTracerProvider::shutdown) {
            tracing::warn!(%error, "the last spans were not sent");
        }
        self.output.flush();
    }
}

/// Sets up this process's log (JSON lines on standard output, from `level` up) and, with a
/// `collector`, the export of its traces. From then on panics are logged without their messages.
///
/// # Errors
/// [`InitError`].
pub fn init(
    service: &'static str,
    level: LevelFilter,
    collector: Option<Collector>,
) -> Result<Guard, InitError> {
    panics::install();
    let output = Stdout::start()?;
    let provider = collector
        .map(|collector| provider(service, collector))
        .transpose()?;
    let traces = provider.as_ref().map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer(service))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            // Events are log lines; spans are exported for their durations.
            .with_filter(filter_fn(|metadata| !metadata.is_event()))
    });
    Registry::default()
        .with(traces)
        .with(json::JsonLines::new(service, Arc::clone(&output)))
        .with(targets(level))
        .try_init()?;
    Ok(Guard { provider, output })
}

fn targets(level: LevelFilter) -> Targets {
    let others = level.min(Level::WARN);
    Targets::new()
        .with_default(others)
        .with_targets(CONFIGURED_CRATES.map(|name| (name, level)))
}

fn provider(
    service: &'static str,
    collector: Collector,
) -> Result<SdkTracerProvider, ExporterBuildError> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint(collector.traces_url())
        .with_http_client(collector)
        .build()?;
    Ok(SdkTracerProvider::builder()
        .with_resource(Resource::builder_empty().with_service_name(service).build())
        .with_batch_exporter(redact::Redacting(exporter))
        .build())
}
