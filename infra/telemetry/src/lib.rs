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

/// The crates whose log lines follow the configured level. All others are held at warnings: at
/// finer levels HTTP and SQL libraries log headers and statements.
const OWN: [&str; 9] = [
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

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The exporter refuses its settings.
    #[error("can't export traces: {0}")]
    Exporter(#[from] ExporterBuildError),
    /// The thread that writes the log did not start.
    #[error("can't write the log: {0}")]
    Output(#[from] std::io::Error),
    /// The process has a logger already.
    #[error("logging was set up twice: {0}")]
    Twice(#[from] TryInitError),
}

/// Sends the last spans and writes the last lines when it is dropped: keep it until the end of
/// `main`.
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

/// Sets up this process's log (JSON lines on standard output, from `level` up) and, if there is a
/// `collector`, the export of its traces. Panics are logged from then on without their texts.
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
            // Events are log lines; what is exported is where the time went.
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
        .with_targets(OWN.map(|name| (name, level)))
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
