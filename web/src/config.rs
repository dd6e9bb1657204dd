//! The configuration, parsed from environment variables. `main` also reads the variables of
//! inherited sockets, `check` the names of all variables, and `telemetry` those of the service
//! manager.

mod clients;
mod lifecycle;
mod origin;
mod upstream;
mod variables;

use std::net::SocketAddr;
use std::path::PathBuf;

use certs::IdentityFiles;
use certs::Versions;
use origin::AdditionalHosts;
use telemetry::LevelFilter;

pub(crate) use clients::ClientConfig;
pub(crate) use lifecycle::LifecycleConfig;
pub(crate) use origin::Origin;
pub(crate) use origin::is_loopback;
pub(crate) use origin::is_same_authority;
pub(crate) use upstream::UpstreamConfig;
pub(crate) use variables::ConfigError;
use variables::Variables;

const ADDRESS: &str = "an address and port to listen on, like 127.0.0.1:8443";
const CERTIFICATE: &str = "the path of a PEM certificate chain";
const KEY: &str = "the path of a PEM private key";

/// The validated configuration.
#[derive(Debug)]
pub(crate) struct Config {
    /// `WEB_LISTEN`: the address of HTTPS.
    pub(crate) listen: SocketAddr,
    /// `WEB_REDIRECT_LISTEN`: the address of HTTP, which redirects to HTTPS.
    pub(crate) redirect_listen: SocketAddr,
    /// `WEB_PUBLIC_ORIGIN`, with the hosts of `WEB_ADDITIONAL_HOSTS`.
    pub(crate) origin: Origin,
    /// `WEB_TLS_CERTIFICATE_FILE`, `WEB_TLS_KEY_FILE`.
    pub(crate) identity: IdentityFiles,
    /// `WEB_TLS12`.
    pub(crate) versions: Versions,
    /// The endpoints of the app tier.
    pub(crate) upstreams: UpstreamConfig,
    /// Trusted proxies, and the limits of a client.
    pub(crate) clients: ClientConfig,
    /// Workers, metrics and shutdown.
    pub(crate) lifecycle: LifecycleConfig,
    /// `LOG`: the lowest level that is logged.
    pub(crate) log: LevelFilter,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`: the trace collector.
    pub(crate) collector: Option<String>,
    /// `OTEL_EXPORTER_OTLP_CERTIFICATE`: the CA of the collector.
    pub(crate) collector_anchors: Option<PathBuf>,
}

impl Config {
    /// Reads the configuration through `lookup`.
    pub(crate) fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let variables = Variables(lookup);
        let tls12 = variables.or("WEB_TLS12", "true or false", false)?;
        Ok(Self {
            listen: variables.required("WEB_LISTEN", ADDRESS)?,
            redirect_listen: variables.required("WEB_REDIRECT_LISTEN", ADDRESS)?,
            origin: origin(&variables)?,
            identity: IdentityFiles {
                certificate: variables.required("WEB_TLS_CERTIFICATE_FILE", CERTIFICATE)?,
                key: variables.required("WEB_TLS_KEY_FILE", KEY)?,
            },
            versions: if tls12 {
                Versions::Tls12AndTls13
            } else {
                Versions::Tls13
            },
            upstreams: UpstreamConfig::read(&variables)?,
            clients: ClientConfig::read(&variables)?,
            lifecycle: LifecycleConfig::read(&variables)?,
            log: variables.or(
                "LOG",
                "error, warn, info, debug or trace",
                LevelFilter::INFO,
            )?,
            collector: variables.optional(
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "the URL of an OpenTelemetry collector",
            )?,
            collector_anchors: variables.optional(
                "OTEL_EXPORTER_OTLP_CERTIFICATE",
                "the path of the collector's CA certificate",
            )?,
        })
    }
}

fn origin(variables: &Variables<impl Fn(&str) -> Option<String>>) -> Result<Origin, ConfigError> {
    let origin: Origin = variables.required(
        "WEB_PUBLIC_ORIGIN",
        "the public origin, like https://localhost:8443, without a path",
    )?;
    let additional = variables.or(
        "WEB_ADDITIONAL_HOSTS",
        "host or host:port of each additional host, like web:8443, separated by commas",
        AdditionalHosts::default(),
    )?;
    Ok(origin.with_additional(additional))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::Source;

    const GOOD: [(&str, &str); 10] = [
        ("WEB_LISTEN", "127.0.0.1:8443"),
        ("WEB_REDIRECT_LISTEN", "127.0.0.1:8080"),
        ("WEB_PUBLIC_ORIGIN", "https://localhost:8443"),
        ("WEB_TLS_CERTIFICATE_FILE", "web.pem"),
        ("WEB_TLS_KEY_FILE", "web.key"),
        ("WEB_UPSTREAMS", "127.0.0.1:9443, app:9443"),
        ("WEB_UPSTREAM_NAME", "app.internal"),
        ("WEB_UPSTREAM_IDENTITY", "spiffe://stack.internal/app"),
        ("WEB_UPSTREAM_CERTIFICATE_FILE", "internal.pem"),
        ("WEB_UPSTREAM_KEY_FILE", "internal.key"),
    ];

    /// Reads the configuration with one variable changed.
    fn read(variable: &str, value: Option<&str>) -> Result<Config, ConfigError> {
        Config::read(|name| {
            if name == variable {
                return value.map(str::to_owned);
            }
            let mut all = GOOD.iter().chain(&[("WEB_UPSTREAM_CA_FILE", "ca.pem")]);
            all.find(|(set, _)| *set == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn unset_variables_have_their_defaults() {
        let config = read("", None).unwrap();
        let endpoints = ["127.0.0.1:9443", "app:9443"].map(|entry| entry.parse().unwrap());
        assert_eq!(config.upstreams.source, Source::Fixed(endpoints.to_vec()));
        assert_eq!(config.lifecycle.drain, std::time::Duration::from_secs(10));
        assert_eq!(config.versions, Versions::Tls13);
    }

    #[test]
    fn an_error_names_the_variable_and_the_expected_value() {
        for (variable, value) in [
            ("WEB_LISTEN", None),
            ("WEB_LISTEN", Some("8443")),
            ("WEB_PUBLIC_ORIGIN", Some("http://localhost:8443")),
            ("WEB_PUBLIC_ORIGIN", Some("https://localhost:8443/path")),
            ("WEB_ADDITIONAL_HOSTS", Some("*.example")),
            ("WEB_UPSTREAMS", Some("app")),
            ("WEB_UPSTREAMS", Some("app:9443,")),
            ("WEB_UPSTREAMS", Some("dns:app")),
            ("WEB_UPSTREAMS", None),
            ("WEB_UPSTREAMS_FILE", Some("endpoints.list")),
            ("WEB_UPSTREAM_IDENTITY", Some("app")),
            ("WEB_TLS12", Some("yes")),
            ("WEB_DRAIN_SECONDS", Some("-1")),
            ("LOG", Some("loud")),
        ] {
            let error = read(variable, value).unwrap_err().to_string();
            assert!(
                error.starts_with(variable) && error.contains(": expected "),
                "{error}"
            );
        }
    }
}
