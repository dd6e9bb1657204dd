//! The settings of workers, metrics and shutdown.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use settings::Reader;
use settings::Reported;
use settings::section;

use crate::limits::Limits;

/// The settings of workers, metrics and shutdown.
#[derive(Debug)]
pub(crate) struct LifecycleConfig {
    /// `WEB_METRICS_LISTEN`: the loopback address of the metrics.
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// `WEB_WORKERS`: the number of worker threads; one per core if unset.
    workers: Option<NonZeroU16>,
    /// `WEB_UNREADY_SECONDS`: on SIGTERM, the time for which connections are still accepted while
    /// `/readyz` fails, so that a load balancer notices.
    pub(crate) unready: Duration,
    /// `WEB_DRAIN_SECONDS`: after that, the time for requests in flight.
    pub(crate) drain: Duration,
}

impl LifecycleConfig {
    /// The number of worker threads.
    pub(crate) fn workers(&self) -> usize {
        self.workers.map_or_else(
            || thread::available_parallelism().map_or(1, NonZeroUsize::get),
            |workers| workers.get().into(),
        )
    }

    pub(super) fn read(reader: &Reader) -> Result<Self, Reported> {
        let drain_timeout = Limits::default().drain_timeout;
        section!(Self {
            metrics_listen: metrics_listen(reader),
            workers: reader.optional("WEB_WORKERS", "a number of threads"),
            unready: seconds(reader, "WEB_UNREADY_SECONDS", Duration::ZERO),
            drain: seconds(reader, "WEB_DRAIN_SECONDS", drain_timeout),
        })
    }
}

fn seconds(
    reader: &Reader,
    variable: &'static str,
    default: Duration,
) -> Result<Duration, Reported> {
    reader.seconds(variable, default.as_secs(), 0..=u16::MAX.into())
}

fn metrics_listen(reader: &Reader) -> Result<Option<SocketAddr>, Reported> {
    const VARIABLE: &str = "WEB_METRICS_LISTEN";
    const EXPECTED: &str = "a loopback address and port, like 127.0.0.1:9100: metrics are served \
                            without TLS, only on this machine";
    let address: Option<SocketAddr> = reader.optional(VARIABLE, EXPECTED)?;
    if address.is_some_and(|address| !address.ip().to_canonical().is_loopback()) {
        return Err(reader.reject(VARIABLE, "is not a loopback address", EXPECTED));
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variable: &str, value: &str) -> Result<LifecycleConfig, String> {
        let set = [(variable.into(), value.into())];
        let config = Reader::new(&[], set).read(LifecycleConfig::read);
        config.map_err(|errors| errors.to_string())
    }

    #[test]
    fn metrics_are_served_only_on_a_loopback_address() {
        for loopback in ["127.0.0.1:9100", "[::1]:9100", "127.0.0.5:0"] {
            let config = read("WEB_METRICS_LISTEN", loopback).unwrap();
            assert_eq!(config.metrics_listen.unwrap().to_string(), loopback);
        }
        for other in [
            "0.0.0.0:9100",
            "10.0.0.1:9100",
            "[::]:9100",
            "localhost:9100",
            "9100",
        ] {
            let error = read("WEB_METRICS_LISTEN", other).unwrap_err();
            assert!(error.contains("only on this machine"), "{error}");
        }
        assert_eq!(read("", "").unwrap().metrics_listen, None);
    }

    #[test]
    fn the_times_of_a_shutdown_are_configured() {
        let config = read("", "").unwrap();
        assert_eq!(
            (config.unready, config.drain),
            (Duration::ZERO, Duration::from_secs(10))
        );
        let config = read("WEB_UNREADY_SECONDS", "15").unwrap();
        assert_eq!(config.unready, Duration::from_secs(15));
        assert!(read("WEB_UNREADY_SECONDS", "-1").is_err());
    }
}
