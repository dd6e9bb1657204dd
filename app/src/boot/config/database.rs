//! Where the database is, and as whom the app connects.

use std::time::Duration;

use super::ConfigError;
use super::Reader;

pub(super) fn read(reader: &Reader) -> Result<db::Settings, ConfigError> {
    Ok(db::Settings {
        host: reader.text(
            "DATABASE_HOST",
            "the server's name as it stands in its certificate",
        )?,
        port: reader.parsed_or("DATABASE_PORT", 3306, "a port")?,
        database: reader.text_or("DATABASE_NAME", "stack"),
        user: reader.text_or("DATABASE_USER", "app"),
        ca_file: reader.file("DATABASE_CA_FILE", "a PEM file with the CA of the server")?,
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
