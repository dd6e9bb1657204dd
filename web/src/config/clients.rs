//! The settings that concern clients.

use std::num::NonZeroU32;

use super::ConfigError;
use super::variables::Variables;
use crate::client::TrustedProxies;
use crate::limits::Limits;

/// How clients are recognized, and what each may use.
#[derive(Debug)]
pub(crate) struct ClientConfig {
    /// `WEB_BALANCERS`: the load balancers in front of us.
    pub(crate) trusted_proxies: TrustedProxies,
    /// `WEB_PROXY_PROTOCOL`: whether each of their connections begins with a PROXY header.
    pub(crate) proxy_protocol: bool,
    /// `WEB_CONNECTIONS_PER_CLIENT`: the most that one client may hold.
    pub(crate) connections: u32,
    /// `WEB_HANDSHAKES_PER_SECOND`: of one client.
    pub(crate) handshakes_per_second: NonZeroU32,
    /// `WEB_REQUESTS_PER_MINUTE`: of one client.
    pub(crate) requests_per_minute: NonZeroU32,
}

impl ClientConfig {
    pub(super) fn read(
        variables: &Variables<impl Fn(&str) -> Option<String>>,
    ) -> Result<Self, ConfigError> {
        let limits = Limits::default();
        let trusted_proxies = variables.or(
            "WEB_BALANCERS",
            "the networks of the load balancers in front, like 10.0.1.0/24, separated by commas; \
             not everybody's",
            TrustedProxies::default(),
        )?;
        let proxy_protocol = variables.or("WEB_PROXY_PROTOCOL", "true or false", false)?;
        if proxy_protocol && trusted_proxies.is_empty() {
            return Err(ConfigError {
                variable: "WEB_PROXY_PROTOCOL",
                problem: "lets nobody in without WEB_BALANCERS",
                expected: "the networks that PROXY headers are believed from, in WEB_BALANCERS",
            });
        }
        let connections: NonZeroU32 = variables.or(
            "WEB_CONNECTIONS_PER_CLIENT",
            "a number above 0",
            u32::try_from(limits.connections.max_per_client)
                .ok()
                .and_then(NonZeroU32::new)
                .unwrap_or(NonZeroU32::MIN),
        )?;
        Ok(Self {
            trusted_proxies,
            proxy_protocol,
            connections: connections.get(),
            handshakes_per_second: variables.or(
                "WEB_HANDSHAKES_PER_SECOND",
                "a number above 0",
                limits.handshakes_per_second,
            )?,
            requests_per_minute: variables.or(
                "WEB_REQUESTS_PER_MINUTE",
                "a number above 0",
                limits.requests_per_minute,
            )?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: &[(&str, &str)]) -> Result<ClientConfig, String> {
        let lookup = |asked: &str| {
            let found = set.iter().find(|(name, _)| *name == asked);
            found.map(|(_, value)| (*value).to_owned())
        };
        ClientConfig::read(&Variables(lookup)).map_err(|error| error.to_string())
    }

    #[test]
    fn nobody_is_a_load_balancer_unless_it_is_said() {
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
    fn what_can_not_be_meant_is_named() {
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
