//! Everything that can be set, read from the environment once, before any port opens.
//!
//! One section per file; each field names its variable. There is no setting that turns encryption,
//! peer checks or auditing off.

mod key_service;
mod server;
mod sessions;

use settings::Reader;
use settings::Reported;
use settings::section;

use crate::services::callers::SessionLimits;
use crate::services::keys::KeyServiceSettings;

pub(crate) use server::ServerConfig;

/// The whole configuration of the app tier.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// How the tier listens, and whom it lets in.
    pub(crate) server: ServerConfig,
    /// Where the database is.
    pub(crate) database: db::Settings,
    /// Who holds the root keys.
    pub(crate) keys: KeyServiceSettings,
    /// How long people stay signed in.
    pub(crate) sessions: SessionLimits,
    /// `LOG`: how much is logged.
    pub(crate) log: telemetry::LevelFilter,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`: where spans go, if anywhere.
    pub(crate) otlp_endpoint: Option<String>,
}

/// The prefixes of this program's variables; other variables are ignored.
pub(crate) const PREFIXES: [&str; 5] = ["APP_", "DATABASE_", "KEY_", "KMS_", "SESSION_"];

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    ///
    /// If a variable is missing or wrong.
    pub(crate) fn read(reader: &Reader) -> Result<Self, Reported> {
        section!(Self {
            server: ServerConfig::read(reader),
            database: db::Settings::read(reader, "app"),
            keys: key_service::read(reader),
            sessions: sessions::read(reader),
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
