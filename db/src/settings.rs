//! The settings of a connection to the database server.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use secrecy::SecretString;
use settings::Reader;
use settings::Reported;
use settings::section;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::mysql::MySqlSslMode;

/// The server, the database and the account of a connection. TLS with `VERIFY_IDENTITY` is not optional.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Host name or address, as in the server's certificate.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Name of the database.
    pub database: String,
    /// Name of the account.
    pub user: String,
    /// PEM file with the CA that issued the server's certificate.
    pub ca_file: PathBuf,
    /// PEM file with the account's certificate chain.
    pub certificate_file: Option<PathBuf>,
    /// PEM file with the account's private key.
    pub key_file: Option<PathBuf>,
    /// The account's password. Only for a server that cannot verify client certificates.
    pub password: Option<SecretString>,
    /// Maximum number of connections of the pool.
    pub connections: u32,
    /// Maximum time that a caller waits for a connection.
    pub acquire_timeout: Duration,
}

impl Settings {
    /// Reads the variables `DATABASE_…`. `user` is the account if none is named.
    ///
    /// # Errors
    /// If a variable is missing or wrong.
    pub fn read(reader: &Reader, user: &str) -> Result<Self, Reported> {
        section!(Self {
            host: reader.required(
                "DATABASE_HOST",
                "the server's host name or address, as in its certificate",
            ),
            port: reader.or("DATABASE_PORT", "a TCP port", 3306),
            database: reader.or("DATABASE_NAME", "the database's name", "stack".to_owned()),
            user: reader.or("DATABASE_USER", "the account's name", user.to_owned()),
            ca_file: reader.file("DATABASE_CA_FILE", "a PEM file with the CA of the server"),
            certificate_file: reader.optional_file(
                "DATABASE_CERTIFICATE_FILE",
                "a PEM file with the account's certificate chain",
            ),
            key_file: reader.optional_file(
                "DATABASE_KEY_FILE",
                "a PEM file with the account's private key",
            ),
            password: reader.secret_file("DATABASE_PASSWORD_FILE"),
            connections: reader.or("DATABASE_CONNECTIONS", "a number of connections", 16),
            acquire_timeout: Ok(Duration::from_secs(5)),
        })
    }

    pub(crate) fn connect_options(&self) -> MySqlConnectOptions {
        let mut options = MySqlConnectOptions::new()
            .host(&self.host)
            .port(self.port)
            .database(&self.database)
            .username(&self.user)
            .ssl_mode(MySqlSslMode::VerifyIdentity)
            .ssl_ca(&self.ca_file)
            .charset("utf8mb4");
        if let Some(file) = &self.certificate_file {
            options = options.ssl_client_cert(file);
        }
        if let Some(file) = &self.key_file {
            options = options.ssl_client_key(file);
        }
        // `password` is not called for an X.509 account: MariaDB rejects even an empty password.
        if let Some(password) = &self.password {
            options = options.password(password.expose_secret());
        }
        options
    }
}
