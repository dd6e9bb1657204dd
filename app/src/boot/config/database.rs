//! The configuration of the connection to the database.

use std::time::Duration;

use super::ConfigError;
use super::Reader;

/// Reads the section.
pub(super) fn read(reader: &Reader) -> Result<db::Settings, ConfigError> {
    Ok(db::Settings {
        host: reader.text("DATABASE_HOST", "the server's name in its certificate")?,
        port: reader.parsed_or("DATABASE_PORT", 3306, "a port number")?,
        database: reader.text_or("DATABASE_NAME", "stack"),
        user: reader.text_or("DATABASE_USER", "app"),
        ca_file: reader.file("DATABASE_CA_FILE", "a PEM file with the server's CA")?,
        certificate_file: reader.optional_file(
            "DATABASE_CERTIFICATE_FILE",
            "a PEM file with the account's certificate",
        )?,
        key_file: reader.optional_file(
            "DATABASE_KEY_FILE",
            "a PEM file with the account's private key",
        )?,
        password: reader.optional_secret("DATABASE_PASSWORD_FILE")?,
        connections: reader.parsed_or("DATABASE_CONNECTIONS", 16, "a number of connections")?,
        acquire_timeout: Duration::from_secs(5),
    })
}
