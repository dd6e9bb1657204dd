//! What is counted, for whoever watches over this tier.
//!
//! Labels come from sets that are known at start: route templates, classes of status, reasons,
//! configured addresses. Nothing that a client sends becomes one, so nothing that a client sends
//! makes the registry larger or tells of a person.

mod endpoint;
mod observed;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use certs::{Reloads, policy};
use http::StatusCode;
use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, info::Info},
    registry::Registry,
};

use self::observed::Observed;
use crate::{
    limits::{Places, Shed},
    upstream::UpstreamCounters,
};

pub(crate) use endpoint::serve;

/// A route that is not one of ours.
const UNKNOWN: &str = "*";
/// Classes of status: the hundreds, from informational to our own fault.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The metrics of this process. Counting is one or two atomic additions.
pub(crate) struct Metrics {
    registry: Mutex<Registry>,
    routes: HashMap<Box<str>, [Counter; 5]>,
    handshakes: [Counter; 5],
    refusals: Family<[(&'static str, &'static str); 1], Counter>,
    observed: Arc<Observed>,
}

impl Metrics {
    /// Metrics for these routes; answers to other ones are counted as `*`.
    pub(crate) fn new<'r>(routes: impl IntoIterator<Item = &'r str>) -> Arc<Self> {
        let mut registry = Registry::with_prefix("web");
        let build = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("fips", if policy::is_fips() { "true" } else { "false" }),
        ];
        registry.register("build", "What runs", Info::new(build));
        let requests = Family::<[(&str, String); 2], Counter>::default();
        let help = "Answers, by route and class of status";
        registry.register("requests", help, requests.clone());
        let of_class = |route: &str, class: &str| {
            requests.get_or_create_owned(&[("route", route.into()), ("status", class.into())])
        };
        let routes = routes.into_iter().chain([UNKNOWN]);
        let routes = routes
            .map(|route| (route.into(), CLASSES.map(|class| of_class(route, class))))
            .collect();
        let attempts = Family::<[(&str, &str); 1], Counter>::default();
        let help = "Connections, by how their handshake ended";
        registry.register("handshakes", help, attempts.clone());
        let handshakes = Handshake::ALL
            .map(|outcome| attempts.get_or_create_owned(&[("outcome", outcome.label())]));
        let refusals = Family::default();
        let help = "Requests that did not reach an app, by reason";
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

    /// Counts an answer. `route` is a template, never a path.
    pub(crate) fn answered(&self, route: &str, status: StatusCode) {
        let counters = self.routes.get(route).or_else(|| self.routes.get(UNKNOWN));
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(counter) = counters.and_then(|counters| counters.get(class)) {
            counter.inc();
        }
    }

    /// Counts a request that was refused here.
    pub(crate) fn refused(&self, reason: &'static str) {
        self.refusals.get_or_create(&[("reason", reason)]).inc();
    }

    /// Begins to count a handshake: as unfinished, until it is told otherwise.
    pub(crate) fn handshake(&self) -> Attempt<'_> {
        Attempt {
            metrics: self,
            outcome: Handshake::Unfinished,
        }
    }

    /// Shows how often the files of `what` were taken up anew, and whether that fails at present.
    pub(crate) fn watch_reloads(
        &self,
        what: &'static str,
        reloads: impl Fn() -> Reloads + Send + Sync + 'static,
    ) {
        let all = &self.observed.reloads;
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        all.push((what, Box::new(reloads)));
    }

    /// Shows how many connections there are.
    pub(crate) fn watch_connections(&self, places: Arc<Places>) {
        drop(self.observed.places.set(places));
    }

    /// Shows how many requests are at work, and how many may be.
    pub(crate) fn watch_shed(&self, shed: Arc<Shed>) {
        drop(self.observed.shed.set(shed));
    }

    /// Shows which apps take requests, and what happened towards them.
    pub(crate) fn watch_apps(
        &self,
        counters: Arc<UpstreamCounters>,
        states: impl Fn() -> Vec<(String, bool)> + Send + Sync + 'static,
    ) {
        drop(self.observed.apps.set((counters, Box::new(states))));
    }

    /// All of it, in the text format of `OpenMetrics`.
    pub(crate) fn text(&self) -> String {
        let mut text = String::with_capacity(16 * 1024);
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = text::encode(&mut text, &registry) {
            tracing::error!(%error, "metrics can't be written");
        }
        text
    }
}

/// How a connection's handshake ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handshake {
    /// HTTP is spoken now.
    Done,
    /// TLS refused it, or the client went away.
    Tls,
    /// The PROXY header is missing, wrong, or from somebody who may not send one.
    Proxy,
    /// The client has all its connections.
    Crowded,
    /// It took too long.
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

/// A handshake that is counted when this is dropped.
pub(crate) struct Attempt<'m> {
    metrics: &'m Metrics,
    outcome: Handshake,
}

impl Attempt<'_> {
    /// How it ended.
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
