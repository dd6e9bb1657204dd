//! The configuration of the app tier, read from the environment once, before any port opens.
//!
//! One section per file; each field names its variable. No setting disables encryption, peer checks
//! or auditing.

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
    /// `LOG`: the log level.
    pub(crate) log: telemetry::LevelFilter,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`: the collector to which spans are exported, if any.
    pub(crate) otlp_endpoint: Option<String>,
}

impl Config {
    /// Reads and checks every variable.
    ///
    /// # Errors
    ///
    /// The first variable that is missing or invalid, with the expected value.
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
