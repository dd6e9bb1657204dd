//! The configuration, parsed from environment variables. `main` also reads the variables of
//! inherited sockets, and `telemetry` those of the service manager.

mod clients;
mod lifecycle;
mod origin;
mod upstream;

use std::net::SocketAddr;
use std::path::PathBuf;

use certs::IdentityFiles;
use certs::Versions;
use settings::Reader;
use settings::Reported;
use settings::section;
use telemetry::LevelFilter;

use origin::AdditionalHosts;

pub(crate) use clients::ClientConfig;
pub(crate) use lifecycle::LifecycleConfig;
pub(crate) use origin::Origin;
pub(crate) use origin::is_loopback;
pub(crate) use origin::is_same_authority;
pub(crate) use upstream::UpstreamConfig;

const ADDRESS: &str = "an address and port to listen on, like 127.0.0.1:8443";
const CERTIFICATE: &str = "a PEM certificate chain";
const KEY: &str = "a PEM private key";

/// The prefix of this program's variables; other variables are ignored.
pub(crate) const PREFIXES: [&str; 1] = ["WEB_"];

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
    /// Reads the configuration.
    pub(crate) fn read(reader: &Reader) -> Result<Self, Reported> {
        section!(Self {
            listen: reader.required("WEB_LISTEN", ADDRESS),
            redirect_listen: reader.required("WEB_REDIRECT_LISTEN", ADDRESS),
            origin: origin(reader),
            identity: section!(IdentityFiles {
                certificate: reader.file("WEB_TLS_CERTIFICATE_FILE", CERTIFICATE),
                key: reader.file("WEB_TLS_KEY_FILE", KEY),
            }),
            versions: versions(reader),
            upstreams: UpstreamConfig::read(reader),
            clients: ClientConfig::read(reader),
            lifecycle: LifecycleConfig::read(reader),
            log: reader.or(
                "LOG",
                "off, error, warn, info, debug or trace",
                LevelFilter::INFO,
            ),
            collector: reader.optional(
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "the URL of an OpenTelemetry collector",
            ),
            collector_anchors: reader.optional_file(
                "OTEL_EXPORTER_OTLP_CERTIFICATE",
                "the collector's CA certificate",
            ),
        })
    }
}

fn origin(reader: &Reader) -> Result<Origin, Reported> {
    let origin: Result<Origin, Reported> = reader.required(
        "WEB_PUBLIC_ORIGIN",
        "the public origin, like https://localhost:8443, without a path",
    );
    let additional = reader.or(
        "WEB_ADDITIONAL_HOSTS",
        "host or host:port of each additional host, like web:8443, separated by commas",
        AdditionalHosts::default(),
    );
    Ok(origin?.with_additional(additional?))
}

fn versions(reader: &Reader) -> Result<Versions, Reported> {
    let tls12 = reader.or("WEB_TLS12", "true or false", false)?;
    Ok(if tls12 {
        Versions::Tls12AndTls13
    } else {
        Versions::Tls13
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use settings::Errors;

    use super::*;
    use crate::upstream::Source;

    /// A file that exists: tests run in the folder of the crate.
    const READABLE: &str = "Cargo.toml";

    const GOOD: [(&str, &str); 11] = [
        ("WEB_LISTEN", "127.0.0.1:8443"),
        ("WEB_REDIRECT_LISTEN", "127.0.0.1:8080"),
        ("WEB_PUBLIC_ORIGIN", "https://localhost:8443"),
        ("WEB_TLS_CERTIFICATE_FILE", READABLE),
        ("WEB_TLS_KEY_FILE", READABLE),
        ("WEB_UPSTREAMS", "127.0.0.1:9443, app:9443"),
        ("WEB_UPSTREAM_NAME", "app.internal"),
        ("WEB_UPSTREAM_IDENTITY", "spiffe://example.internal/app"),
        ("WEB_UPSTREAM_CERTIFICATE_FILE", READABLE),
        ("WEB_UPSTREAM_KEY_FILE", READABLE),
        ("WEB_UPSTREAM_CA_FILE", READABLE),
    ];

    /// Reads the configuration with one variable changed.
    fn read(variable: &str, value: Option<&str>) -> Result<Config, Errors> {
        let unchanged = GOOD.iter().filter(|(name, _)| *name != variable).copied();
        let changed = value.map(|value| (variable, value));
        let variables = unchanged.chain(changed);
        Reader::new(&PREFIXES, owned(variables)).read(Config::read)
    }

    /// The environment of a process.
    fn owned<'a>(
        variables: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> impl Iterator<Item = (OsString, OsString)> {
        variables.map(|(name, value)| (name.into(), value.into()))
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

    #[test]
    fn an_unknown_variable_with_the_prefix_is_reported_and_others_are_ignored() {
        let problems_with = |more: &[(&'static str, &'static str)]| {
            let variables = GOOD.iter().chain(more).copied();
            let checked = Reader::new(&PREFIXES, owned(variables)).check(Config::read);
            checked.err().map(|errors| errors.to_string())
        };
        assert!(problems_with(&[("PATH", "/bin"), ("WEB_WORKERS", "2")]).is_none());
        let found = problems_with(&[("WEB_WORKER", "2")]).unwrap();
        assert!(found.starts_with("WEB_WORKER is not"), "{found:?}");
        assert_eq!(found.lines().count(), 1);
        assert!(
            problems_with(&[("WEB_TLS12", "no")])
                .unwrap()
                .starts_with("WEB_TLS12")
        );
    }

    #[test]
    fn all_errors_are_reported_at_once() {
        let variables = [
            ("WEB_LISTEN", "8443"),
            ("WEB_TLS12", "yes"),
            ("WEB_UPSTREAM", "app:9443"),
        ];
        let reader = Reader::new(&PREFIXES, owned(variables.into_iter()));
        let errors = reader.read(Config::read).unwrap_err().to_string();
        for variable in GOOD.map(|(name, _)| name) {
            assert!(errors.contains(variable), "{variable}: {errors}");
        }
        assert!(errors.contains("WEB_TLS12 has") && errors.contains("WEB_UPSTREAM is not"));
    }
}
