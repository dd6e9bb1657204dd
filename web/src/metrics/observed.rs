//! Metrics that are collected from other modules at each scrape.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;

use certs::Reloads;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::MetricEncoder;
use prometheus_client::encoding::NoLabelSet;
use prometheus_client::metrics::MetricType;

use crate::admission::Admission;
use crate::per_worker::lock_ignoring_poison;
use crate::upstream::UpstreamCounters;

/// Returns the reloads of some files.
type ReadReloads = Box<dyn Fn() -> Reloads + Send + Sync>;
/// Returns the address of each endpoint, and whether it gets requests.
type EndpointStates = Box<dyn Fn() -> Vec<(String, bool)> + Send + Sync>;

/// The collector of values that other modules count.
#[derive(Default)]
pub(super) struct Observed {
    pub(super) reloads: Mutex<Vec<(&'static str, ReadReloads)>>,
    pub(super) admission: OnceLock<Arc<Admission>>,
    pub(super) endpoints: OnceLock<(Arc<UpstreamCounters>, EndpointStates)>,
}

/// The labels and the value of one series.
struct Row<const N: usize>([(&'static str, Cow<'static, str>); N], u64);

impl Collector for Observed {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        self.encode_reloads(&mut encoder)?;
        if let Some(admission) = self.admission.get() {
            encode_admission(admission, &mut encoder)?;
        }
        let Some((counters, states)) = self.endpoints.get() else {
            return Ok(());
        };
        let up = states().into_iter();
        let up = up.map(|(address, up)| Row([("address", address.into())], up.into()));
        let help = "Whether an endpoint gets requests.";
        write(
            &mut encoder,
            "upstream_up",
            help,
            Kind::Gauge,
            &up.collect::<Vec<_>>(),
        )?;
        let events = counters.all();
        let events = events.map(|(event, count)| Row([("event", event.into())], count));
        let help = "Events towards the endpoints.";
        write(
            &mut encoder,
            "upstream_events",
            help,
            Kind::Counter,
            &events,
        )
    }
}

impl Observed {
    fn encode_reloads(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let all = lock_ignoring_poison(&self.reloads);
        let mut outcomes = Vec::new();
        let mut failing = Vec::new();
        for (what, read) in all.iter() {
            let reloads = read();
            let row = |outcome: &'static str, count| {
                Row(
                    [("what", (*what).into()), ("outcome", outcome.into())],
                    count,
                )
            };
            outcomes.extend([row("done", reloads.done), row("failed", reloads.failed)]);
            failing.push(Row([("what", (*what).into())], reloads.failing.into()));
        }
        let help = "Reloads of files, by outcome.";
        write(encoder, "reloads", help, Kind::Counter, &outcomes)?;
        let help =
            "Whether the current files cannot be used, so that the last good ones stay in use.";
        write(encoder, "reload_failing", help, Kind::Gauge, &failing)
    }
}

fn encode_admission(admission: &Admission, encoder: &mut DescriptorEncoder) -> fmt::Result {
    for (name, help, value) in [
        (
            "connections",
            "Connections of clients.",
            admission.connections.used(),
        ),
        (
            "open_streams",
            "Open HTTP/2 streams.",
            admission.open_streams.used(),
        ),
        (
            "buffer_bytes",
            "Memory of bodies in transit, in bytes.",
            admission.buffers.used(),
        ),
    ] {
        write(encoder, name, help, Kind::Gauge, &[Row([], value)])?;
    }
    let state = admission.shedder.state();
    let row = |class: &'static str, count: u64| Row([("class", class.into())], count);
    let at_work = state.map(|(class, at_work, _)| row(class, at_work));
    let help = "Requests in flight in the app tier.";
    write(encoder, "at_work", help, Kind::Gauge, &at_work)?;
    let limits = state.map(|(class, _, limit)| row(class, limit.into()));
    let help = "Limit of requests in flight in the app tier.";
    write(encoder, "at_work_limit", help, Kind::Gauge, &limits)
}

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
}

fn write<const N: usize>(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    kind: Kind,
    rows: &[Row<N>],
) -> fmt::Result {
    let metric_type = match kind {
        Kind::Counter => MetricType::Counter,
        Kind::Gauge => MetricType::Gauge,
    };
    if rows.is_empty() {
        return Ok(());
    }
    let mut metric = encoder.encode_descriptor(name, help, None, metric_type)?;
    for Row(labels, value) in rows {
        if labels.is_empty() {
            one(&mut metric, kind, *value)?;
        } else {
            one(&mut metric.encode_family(labels)?, kind, *value)?;
        }
    }
    Ok(())
}

fn one(metric: &mut MetricEncoder, kind: Kind, value: u64) -> fmt::Result {
    match kind {
        Kind::Counter => metric.encode_counter::<NoLabelSet, _, u64>(&value, None),
        Kind::Gauge => metric.encode_gauge(&value),
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observed").finish_non_exhaustive()
    }
}
