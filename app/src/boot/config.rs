//! Everything that can be set, read from the environment once, before any port opens.
//!
//! One section per file; each field names its variable. There is no setting that turns encryption,
//! peer checks or auditing off.

mod database;
mod key_service;
mod reader;
mod server;
mod sessions;

use crate::services::callers::SessionLimits;
use crate::services::keys::KeyServiceSettings;

pub(crate) use reader::ConfigError;
pub(crate) use reader::Reader;
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

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    ///
    /// The first variable that is missing or wrong, with what was expected.
    pub(crate) fn read(reader: &Reader) -> Result<Self, ConfigError> {
        Ok(Self {
            server: ServerConfig::read(reader)?,
            database: database::read(reader)?,
            keys: key_service::read(reader)?,
            sessions: sessions::read(reader)?,
            log: reader.parsed_or(
                "LOG",
                telemetry::LevelFilter::INFO,
                "off, error, warn, info, debug or trace",
            )?,
            otlp_endpoint: reader.optional("OTEL_EXPORTER_OTLP_ENDPOINT"),
        })
    }
}
