//! The metrics of this tier.
//!
//! Label values come from sets that are known at the start: route templates, status classes,
//! reasons, configured addresses. No data of a client becomes a label: clients cannot enlarge the
//! registry, and no label identifies a person.

mod endpoint;
mod observed;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;

use certs::Reloads;
use certs::policy;
use http::StatusCode;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use self::observed::Observed;
use crate::admission::Admission;
use crate::api_schema::UNKNOWN;
use crate::per_worker::lock_ignoring_poison;
use crate::upstream::UpstreamCounters;

pub(crate) use endpoint::serve;

/// The labels of the status classes.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The metrics of this process. An event costs one or two atomic additions.
pub(crate) struct Metrics {
    registry: Mutex<Registry>,
    routes: HashMap<Box<str>, [Counter; 5]>,
    handshakes: [Counter; 5],
    refusals: Family<[(&'static str, &'static str); 1], Counter>,
    observed: Arc<Observed>,
}

impl Metrics {
    /// Metrics for these routes; responses of other routes are counted as [`UNKNOWN`].
    pub(crate) fn new<'r>(routes: impl IntoIterator<Item = &'r str>) -> Arc<Self> {
        let mut registry = Registry::with_prefix("web");
        let build = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("fips", if policy::is_fips() { "true" } else { "false" }),
        ];
        registry.register("build", "The running build", Info::new(build));
        let requests = Family::<[(&str, String); 2], Counter>::default();
        let help = "Responses, by route and status class";
        registry.register("requests", help, requests.clone());
        let of_class = |route: &str, class: &str| {
            requests.get_or_create_owned(&[("route", route.into()), ("status", class.into())])
        };
        let routes = routes.into_iter().chain([UNKNOWN]);
        let routes = routes
            .map(|route| (route.into(), CLASSES.map(|class| of_class(route, class))))
            .collect();
        let attempts = Family::<[(&str, &str); 1], Counter>::default();
        let help = "Connections, by the outcome of their handshake";
        registry.register("handshakes", help, attempts.clone());
        let handshakes = Handshake::ALL
            .map(|outcome| attempts.get_or_create_owned(&[("outcome", outcome.label())]));
        let refusals = Family::default();
        let help = "Requests refused by this tier, by reason";
        registry.register("refusals", help, refusals.clone());
        let observed = Arc::new(Observed::default());
        registry.register_collector(Box::new(Arc::clone(&observed)));
        Arc::new(Self {
            registry: Mutex::new(registry),
            routes,
            handshakes,
            refusals,
            observed,
        })
    }

    /// Counts a response. `route` is a template, never a path.
    pub(crate) fn on_response(&self, route: &str, status: StatusCode) {
        let counters = self.routes.get(route).or_else(|| self.routes.get(UNKNOWN));
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(counter) = counters.and_then(|counters| counters.get(class)) {
            counter.inc();
        }
    }

    /// Counts a request that this tier refused.
    pub(crate) fn on_refused(&self, reason: &'static str) {
        self.refusals.get_or_create(&[("reason", reason)]).inc();
    }

    /// Begins a handshake, counted as unfinished until its outcome is set.
    pub(crate) fn handshake(&self) -> Attempt<'_> {
        Attempt {
            metrics: self,
            outcome: Handshake::Unfinished,
        }
    }

    /// Registers the reloads of `what`.
    pub(crate) fn watch_reloads(
        &self,
        what: &'static str,
        reloads: impl Fn() -> Reloads + Send + Sync + 'static,
    ) {
        lock_ignoring_poison(&self.observed.reloads).push((what, Box::new(reloads)));
    }

    /// Registers the occupancy and the limits of admission.
    pub(crate) fn watch_admission(&self, admission: Arc<Admission>) {
        drop(self.observed.admission.set(admission));
    }

    /// Registers the states of the endpoints, and the counters of upstream events.
    pub(crate) fn watch_endpoints(
        &self,
        counters: Arc<UpstreamCounters>,
        states: impl Fn() -> Vec<(String, bool)> + Send + Sync + 'static,
    ) {
        drop(self.observed.endpoints.set((counters, Box::new(states))));
    }

    /// All metrics, in the text format of `OpenMetrics`.
    pub(crate) fn text(&self) -> String {
        let mut text = String::with_capacity(16 * 1024);
        let registry = lock_ignoring_poison(&self.registry);
        if let Err(error) = text::encode(&mut text, &registry) {
            tracing::error!(%error, "metrics cannot be encoded");
        }
        text
    }
}

/// The outcome of a connection's handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handshake {
    /// The handshake succeeded.
    Done,
    /// TLS failed, or the client disconnected.
    Tls,
    /// The PROXY header is missing, wrong, or from a host that may not send one.
    Proxy,
    /// The client's share of connections or handshakes is exhausted.
    Crowded,
    /// The handshake took too long.
    Unfinished,
}

impl Handshake {
    const ALL: [Self; 5] = [
        Self::Done,
        Self::Tls,
        Self::Proxy,
        Self::Crowded,
        Self::Unfinished,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Tls => "tls",
            Self::Proxy => "proxy",
            Self::Crowded => "crowded",
            Self::Unfinished => "unfinished",
        }
    }
}

/// A handshake in progress, counted when dropped.
pub(crate) struct Attempt<'m> {
    metrics: &'m Metrics,
    outcome: Handshake,
}

impl Attempt<'_> {
    /// Sets the outcome.
    pub(crate) fn ended(&mut self, outcome: Handshake) {
        self.outcome = outcome;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        for (outcome, counter) in Handshake::ALL.iter().zip(&self.metrics.handshakes) {
            if *outcome == self.outcome {
                counter.inc();
            }
        }
    }
}

#[cfg(test)]
mod tests;
