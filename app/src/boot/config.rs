//! The configuration of the app tier, read from the environment once, before any port opens.
//!
//! One section per file; each field names its variable. No setting disables encryption, peer checks
//! or auditing.

mod exports;
mod key_service;
mod server;
mod sessions;

use settings::Reader;
use settings::Reported;
use settings::section;

use crate::services::callers::SessionLimits;
use crate::services::exports::ExportSettings;
use crate::services::keys::KeyServiceSettings;

pub(crate) use server::ServerConfig;

/// The configuration of the app tier.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The listener and its mutual TLS.
    pub(crate) server: ServerConfig,
    /// The connection to the database.
    pub(crate) database: db::Settings,
    /// The key service, which holds the root keys.
    pub(crate) keys: KeyServiceSettings,
    /// The limits of sessions.
    pub(crate) sessions: SessionLimits,
    /// Bulk exports; none without a folder for their files.
    pub(crate) exports: Option<ExportSettings>,
    /// `LOG`: the log level.
    pub(crate) log: telemetry::LevelFilter,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`: the collector to which spans are exported, if any.
    pub(crate) otlp_endpoint: Option<String>,
}

/// The prefixes of this program's variables; other variables are ignored.
pub(crate) const PREFIXES: [&str; 6] = ["APP_", "DATABASE_", "EXPORT_", "KEY_", "KMS_", "SESSION_"];

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    ///
    /// When a variable is missing or invalid: each is reported, with the expected value.
    pub(crate) fn read(reader: &Reader) -> Result<Self, Reported> {
        section!(Self {
            server: ServerConfig::read(reader),
            database: db::Settings::read(reader, "app"),
            keys: key_service::read(reader),
            sessions: sessions::read(reader),
            exports: exports::read(reader),
            log: reader.or(
                "LOG",
                "off, error, warn, info, debug or trace",
                telemetry::LevelFilter::INFO,
            ),
            otlp_endpoint: reader.optional(
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "the URL of an OpenTelemetry collector",
            ),
        })
    }
}
