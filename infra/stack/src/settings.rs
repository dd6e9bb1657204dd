//! The settings of a stack: its folder, ports, database and key service.

use std::path::Path;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context;
use anyhow::ensure;
use clap::ValueEnum;
use serde::Deserialize;
use serde::Serialize;

use crate::ports::check_free;
use crate::ports::free_ports;

/// Everything that distinguishes one stack from another.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// The folder that holds certificates, data, logs and state.
    pub home: PathBuf,
    /// How it listens and what it is made of.
    pub options: Options,
}

impl Settings {
    /// A stack in `home` with the usual ports and parts.
    #[must_use]
    pub fn new(home: &Path) -> Self {
        Self {
            home: home.to_path_buf(),
            options: Options::default(),
        }
    }

    /// A stack in `home` on ports that are free now, without patients: for tests that need a stack of their own.
    ///
    /// # Errors
    /// When the system has no free port to give.
    pub fn isolated(home: &Path) -> anyhow::Result<Self> {
        let mut settings = Self::new(home);
        settings.options.patients = false;
        settings.options.ports = Ports::free()?;
        Ok(settings)
    }
}

/// The options of `cargo stack up`.
#[derive(Clone, Debug, clap::Args, Serialize, Deserialize)]
pub struct Options {
    /// Ports of the parts.
    #[command(flatten)]
    pub ports: Ports,
    /// The key service, which holds the root keys.
    #[arg(long, env = "STACK_KEY_SERVICE", value_enum, default_value_t)]
    pub key_service: KeyService,
    /// Lifetime of an unwrapped branch key in the cache (1 to 300 seconds).
    #[arg(long, env = "STACK_KEY_CACHE_SECONDS", default_value_t = 300,
          value_parser = clap::value_parser!(u16).range(1..=300))]
    pub key_cache_seconds: u16,
    /// Idle timeout of a browser's session (1 to 900 seconds).
    #[arg(long, env = "STACK_SESSION_IDLE_SECONDS", default_value_t = 900,
          value_parser = clap::value_parser!(u16).range(1..=900))]
    pub session_idle_seconds: u16,
    /// Absolute lifetime of a browser's session (1 to 43200 seconds).
    #[arg(long, env = "STACK_SESSION_ABSOLUTE_SECONDS", default_value_t = 43_200,
          value_parser = clap::value_parser!(u16).range(1..=43_200))]
    pub session_absolute_seconds: u16,
    /// Which database server to run.
    #[arg(long, env = "STACK_DATABASE", value_enum, default_value_t)]
    pub database: Database,
    /// The database's buffer pool, in MiB.
    #[arg(long, env = "STACK_DATABASE_MEMORY", default_value_t = DATABASE_MEMORY)]
    #[serde(default = "database_memory")]
    pub database_memory: u16,
    /// Upper bound of app's connections to the database.
    #[arg(long, env = "STACK_DATABASE_CONNECTIONS", default_value_t = DATABASE_CONNECTIONS)]
    #[serde(default = "database_connections")]
    pub database_connections: u16,
    /// Leave the synthetic patients out.
    #[arg(long = "no-patients", action = clap::ArgAction::SetFalse)]
    pub patients: bool,
    /// A variable of web or app in place of the stack's own value, such as
    /// `WEB_REQUESTS_PER_MINUTE=100000`. Can be repeated. All names except `WEB_…` go to app. Export
    /// `LOG` and `OTEL_EXPORTER_OTLP_ENDPOINT` to set them for both.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    #[serde(default)]
    pub variables: Vec<Variable>,
    /// Build and run optimized binaries.
    #[arg(long, env = "STACK_RELEASE")]
    pub release: bool,
}

/// The beginnings of the names of web's and app's variables.
const PREFIXES: [&str; 7] = [
    "APP_",
    "DATABASE_",
    "EXPORT_",
    "KEY_",
    "KMS_",
    "SESSION_",
    "WEB_",
];

/// A variable of web or app, from the command line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// Its name, such as `WEB_REQUESTS_PER_MINUTE`.
    pub name: String,
    /// Its value, which the program checks.
    pub value: String,
}

impl FromStr for Variable {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (name, value) = text
            .split_once('=')
            .with_context(|| format!("`{text}` is not of the form NAME=VALUE"))?;
        ensure!(
            PREFIXES.iter().any(|prefix| name.starts_with(prefix))
                && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'),
            "`{name}` is not a variable of web or app: their names begin with {}",
            PREFIXES.join(", ")
        );
        Ok(Self {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    }
}

impl Variable {
    /// Whether web reads it; app reads all others.
    pub(crate) fn is_of_web(&self) -> bool {
        self.name.starts_with("WEB_")
    }
}

/// Enough for demo patients, in MiB.
pub(crate) const DATABASE_MEMORY: u16 = 128;

/// For the state of a stack that was started without the setting.
fn database_memory() -> u16 {
    DATABASE_MEMORY
}

/// The app's own default.
pub(crate) const DATABASE_CONNECTIONS: u16 = 16;

/// For the state of a stack that was started without the setting.
fn database_connections() -> u16 {
    DATABASE_CONNECTIONS
}

impl Options {
    /// Checks that every port of the stack is free.
    ///
    /// # Errors
    /// See [`check_free`].
    pub(crate) fn check_ports(&self) -> anyhow::Result<()> {
        let ports = self.ports;
        check_free(ports.web, "--web-port", "STACK_WEB_PORT")?;
        check_free(ports.redirect, "--redirect-port", "STACK_REDIRECT_PORT")?;
        check_free(ports.app, "--app-port", "STACK_APP_PORT")?;
        check_free(ports.database, "--database-port", "STACK_DATABASE_PORT")?;
        if self.key_service == KeyService::Emulator {
            check_free(ports.kms, "--kms-port", "STACK_KMS_PORT")?;
        }
        Ok(())
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ports: Ports::default(),
            key_service: KeyService::default(),
            key_cache_seconds: 300,
            session_idle_seconds: 900,
            session_absolute_seconds: 43_200,
            database: Database::default(),
            database_memory: DATABASE_MEMORY,
            database_connections: DATABASE_CONNECTIONS,
            patients: true,
            variables: Vec::new(),
            release: false,
        }
    }
}

/// The ports of each part on the loopback interface.
#[derive(Clone, Copy, Debug, clap::Args, Serialize, Deserialize)]
pub struct Ports {
    /// Port of web (HTTPS).
    #[arg(id = "web_port", long = "web-port", env = "STACK_WEB_PORT", default_value_t = Ports::default().web,
          value_parser = clap::value_parser!(u16).range(1..))]
    pub web: u16,
    /// Port of web that redirects to HTTPS (HTTP).
    #[arg(id = "redirect_port", long = "redirect-port", env = "STACK_REDIRECT_PORT", default_value_t = Ports::default().redirect,
          value_parser = clap::value_parser!(u16).range(1..))]
    pub redirect: u16,
    /// Port of the app tier (mutual TLS).
    #[arg(id = "app_port", long = "app-port", env = "STACK_APP_PORT", default_value_t = Ports::default().app,
          value_parser = clap::value_parser!(u16).range(1..))]
    pub app: u16,
    /// Port of the database server (TLS).
    #[arg(id = "database_port", long = "database-port", env = "STACK_DATABASE_PORT", default_value_t = Ports::default().database,
          value_parser = clap::value_parser!(u16).range(1..))]
    pub database: u16,
    /// Port of the key service emulator (HTTPS).
    #[arg(id = "kms_port", long = "kms-port", env = "STACK_KMS_PORT", default_value_t = Ports::default().kms,
          value_parser = clap::value_parser!(u16).range(1..))]
    pub kms: u16,
}

impl Ports {
    /// Ports on which no process listens at this moment.
    ///
    /// # Errors
    /// When the system has no free port to give.
    pub fn free() -> anyhow::Result<Self> {
        let [web, redirect, app, database, kms] = free_ports()?;
        Ok(Self {
            web,
            redirect,
            app,
            database,
            kms,
        })
    }
}

impl Default for Ports {
    fn default() -> Self {
        Self {
            web: 8443,
            redirect: 8080,
            app: 9443,
            database: 13306,
            kms: 14566,
        }
    }
}

/// The key service of a local stack, which holds its root keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyService {
    /// A keyring file in the stack's folder.
    #[default]
    Development,
    /// An emulator of AWS KMS, over HTTPS. Its keys are lost when it stops.
    Emulator,
}

/// The database servers that a local stack can run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Database {
    /// `MariaDB` of the system's packages.
    #[default]
    Mariadb,
    /// `MySQL` 9, unpacked from Debian's unstable suite into the cache folder.
    Mysql,
}

impl Database {
    /// The name of the product.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Mariadb => "MariaDB",
            Self::Mysql => "MySQL",
        }
    }

    /// Its value on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Mariadb => "mariadb",
            Self::Mysql => "mysql",
        }
    }
}
