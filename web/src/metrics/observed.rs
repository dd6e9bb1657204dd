use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use certs::Reloads;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet},
    metrics::MetricType,
};

use crate::{
    limits::{Places, Shed},
    upstream::UpstreamCounters,
};

/// How often some files were taken up anew.
type ReadReloads = Box<dyn Fn() -> Reloads + Send + Sync>;
/// The address of each app, and whether it takes requests.
type AppStates = Box<dyn Fn() -> Vec<(String, bool)> + Send + Sync>;

/// What counts by itself, and is read when somebody asks.
#[derive(Default)]
pub(super) struct Observed {
    pub(super) reloads: Mutex<Vec<(&'static str, ReadReloads)>>,
    pub(super) places: OnceLock<Arc<Places>>,
    pub(super) shed: OnceLock<Arc<Shed>>,
    pub(super) apps: OnceLock<(Arc<UpstreamCounters>, AppStates)>,
}

/// Labels and their value.
struct Row<const N: usize>([(&'static str, Cow<'static, str>); N], u64);

impl Collector for Observed {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        self.encode_reloads(&mut encoder)?;
        if let Some(places) = self.places.get() {
            let taken = u64::try_from(places.taken()).unwrap_or(u64::MAX);
            let help = "Connections of clients.";
            write(
                &mut encoder,
                "connections",
                help,
                Kind::Gauge,
                &[Row([], taken)],
            )?;
        }
        if let Some(shed) = self.shed.get() {
            let state = shed.state();
            let row =
                |class: &'static str, count: u32| Row([("class", class.into())], count.into());
            let at_work = state.map(|(class, at_work, _)| row(class, at_work));
            let help = "Requests at work in the apps.";
            write(&mut encoder, "at_work", help, Kind::Gauge, &at_work)?;
            let limits = state.map(|(class, _, limit)| row(class, limit));
            let help = "Requests that may be at work in the apps.";
            write(&mut encoder, "at_work_limit", help, Kind::Gauge, &limits)?;
        }
        let Some((counters, states)) = self.apps.get() else {
            return Ok(());
        };
        let up = states().into_iter();
        let up = up.map(|(address, up)| Row([("address", address.into())], up.into()));
        let help = "Whether an app takes requests.";
        write(
            &mut encoder,
            "upstream_up",
            help,
            Kind::Gauge,
            &up.collect::<Vec<_>>(),
        )?;
        let events = counters.all();
        let events = events.map(|(event, count)| Row([("event", event.into())], count));
        let help = "What happened towards the apps.";
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
        let all = self.reloads.lock().unwrap_or_else(PoisonError::into_inner);
        let mut outcomes = Vec::new();
        let mut failing = Vec::new();
        for (what, read) in all.iter() {
            let reloads = read();
            let of = |outcome: &'static str, count| {
                Row(
                    [("what", (*what).into()), ("outcome", outcome.into())],
                    count,
                )
            };
            outcomes.extend([of("done", reloads.done), of("failed", reloads.failed)]);
            failing.push(Row([("what", (*what).into())], reloads.failing.into()));
        }
        let help = "Files taken up anew, by outcome.";
        write(encoder, "reloads", help, Kind::Counter, &outcomes)?;
        let help = "Whether what is in the files now can't be used, and the last good one is.";
        write(encoder, "reload_failing", help, Kind::Gauge, &failing)
    }
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
