//! The settings of trusted proxies and of the limits per client.

use std::num::NonZeroU32;

use settings::Reader;
use settings::Reported;
use settings::section;

use crate::client::TrustedProxies;
use crate::limits::Limits;

/// Trusted proxies, and the limits of one client.
#[derive(Debug)]
pub(crate) struct ClientConfig {
    /// `WEB_BALANCERS`: the networks of the trusted proxies.
    pub(crate) trusted_proxies: TrustedProxies,
    /// `WEB_PROXY_PROTOCOL`: whether every connection begins with a PROXY header.
    pub(crate) proxy_protocol: bool,
    /// `WEB_CONNECTIONS_PER_CLIENT`: maximum connections of one client.
    pub(crate) connections: u32,
    /// `WEB_HANDSHAKES_PER_SECOND`: maximum handshakes of one client per second.
    pub(crate) handshakes_per_second: NonZeroU32,
    /// `WEB_REQUESTS_PER_MINUTE`: maximum requests of one client per minute.
    pub(crate) requests_per_minute: NonZeroU32,
}

impl ClientConfig {
    pub(super) fn read(reader: &Reader) -> Result<Self, Reported> {
        const NUMBER: &str = "a number above 0";
        let limits = Limits::default();
        let connections = u32::try_from(limits.connections.max_per_client)
            .ok()
            .and_then(NonZeroU32::new)
            .unwrap_or(NonZeroU32::MIN);
        let config = section!(Self {
            trusted_proxies: reader.or(
                "WEB_BALANCERS",
                "the networks of the trusted proxies, like 10.0.1.0/24, separated by commas; \
                 not a network of all addresses",
                TrustedProxies::default(),
            ),
            proxy_protocol: reader.or("WEB_PROXY_PROTOCOL", "true or false", false),
            connections: reader
                .or("WEB_CONNECTIONS_PER_CLIENT", NUMBER, connections)
                .map(NonZeroU32::get),
            handshakes_per_second: reader.or(
                "WEB_HANDSHAKES_PER_SECOND",
                NUMBER,
                limits.handshakes_per_second,
            ),
            requests_per_minute: reader.or(
                "WEB_REQUESTS_PER_MINUTE",
                NUMBER,
                limits.requests_per_minute,
            ),
        })?;
        if config.proxy_protocol && config.trusted_proxies.is_empty() {
            return Err(reader.reject(
                "WEB_PROXY_PROTOCOL",
                "refuses every client without WEB_BALANCERS",
                "the networks of the proxies that send PROXY headers, in WEB_BALANCERS",
            ));
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: &[(&str, &str)]) -> Result<ClientConfig, String> {
        let set = set.iter().map(|(name, value)| (name.into(), value.into()));
        let config = Reader::new(&[], set).read(ClientConfig::read);
        config.map_err(|errors| errors.to_string())
    }

    #[test]
    fn no_proxy_is_trusted_by_default() {
        let config = read(&[]).unwrap();
        assert!(config.trusted_proxies.is_empty() && !config.proxy_protocol);
        assert_eq!(config.requests_per_minute.get(), 60_000);
        let config = read(&[
            ("WEB_BALANCERS", "10.0.0.0/16,10.1.0.1"),
            ("WEB_PROXY_PROTOCOL", "true"),
            ("WEB_CONNECTIONS_PER_CLIENT", "7"),
            ("WEB_REQUESTS_PER_MINUTE", "8"),
        ])
        .unwrap();
        assert!(config.trusted_proxies.contains([10, 1, 0, 1].into()));
        assert!(config.proxy_protocol);
        assert_eq!(
            (config.connections, config.requests_per_minute.get()),
            (7, 8)
        );
    }

    #[test]
    fn an_error_names_the_variable_that_cannot_be_used() {
        for (variable, value) in [
            ("WEB_BALANCERS", "0.0.0.0/0"),
            ("WEB_BALANCERS", "lb.internal"),
            ("WEB_PROXY_PROTOCOL", "true"),
            ("WEB_PROXY_PROTOCOL", "2"),
            ("WEB_CONNECTIONS_PER_CLIENT", "0"),
            ("WEB_HANDSHAKES_PER_SECOND", "0"),
            ("WEB_REQUESTS_PER_MINUTE", "0"),
        ] {
            let error = read(&[(variable, value)]).unwrap_err();
            assert!(error.starts_with(variable), "{error}");
        }
    }
}
