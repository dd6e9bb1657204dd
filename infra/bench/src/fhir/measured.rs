//! What a load measured.

use std::collections::BTreeMap;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use hdrhistogram::Histogram;

use super::server::Cpu;
use super::server::Server;

/// Latencies by the name of an interaction, in microseconds.
#[derive(Debug, Default)]
pub(super) struct Latencies(BTreeMap<&'static str, Histogram<u64>>);

/// The result of a load on one server.
#[derive(Debug, Default)]
pub(super) struct Measured {
    /// Requests, or resources.
    pub(super) amount: u32,
    pub(super) seconds: f64,
    pub(super) cpu: Cpu,
    pub(super) latencies: Latencies,
}

impl Latencies {
    /// Runs a request and records its latency.
    pub(super) async fn record<T>(
        &mut self,
        name: &'static str,
        request: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let begun = Instant::now();
        let response = request.await?;
        let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        let histogram = match self.0.entry(name) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => entry.insert(empty()?),
        };
        histogram.saturating_record(micros);
        Ok(response)
    }

    /// Adds those of another connection.
    pub(super) fn add(&mut self, other: Self) -> anyhow::Result<()> {
        for (name, more) in other.0 {
            match self.0.get_mut(name) {
                Some(histogram) => histogram.add(more).context("latencies cannot be added")?,
                None => drop(self.0.insert(name, more)),
            }
        }
        Ok(())
    }

    /// The interactions.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }

    /// A percentile of one interaction, or of all, in milliseconds.
    pub(super) fn milliseconds(&self, name: Option<&str>, percentile: f64) -> f64 {
        let Ok(mut all) = empty() else {
            return f64::NAN;
        };
        let wanted = self
            .0
            .iter()
            .filter(|(it, _)| name.is_none_or(|name| **it == name));
        for (_, histogram) in wanted {
            let _ = all.add(histogram);
        }
        let micros = all.value_at_percentile(percentile);
        u32::try_from(micros).map_or(f64::NAN, f64::from) / 1000.0
    }

    fn count(&self) -> u64 {
        self.0.values().map(Histogram::len).sum()
    }
}

impl Measured {
    /// Runs a load and takes the CPU time of the server meanwhile.
    pub(super) async fn run(
        server: &Server,
        load: impl Future<Output = anyhow::Result<Latencies>>,
    ) -> anyhow::Result<Self> {
        let (cpu, begun) = (server.cpu()?, Instant::now());
        let latencies = load.await?;
        Ok(Self {
            amount: u32::try_from(latencies.count()).unwrap_or(u32::MAX),
            seconds: begun.elapsed().as_secs_f64(),
            cpu: server.cpu()?.since(cpu),
            latencies,
        })
    }

    /// Adds a further part of the same load.
    pub(super) fn add(&mut self, part: Self) -> anyhow::Result<()> {
        self.amount = self.amount.saturating_add(part.amount);
        self.seconds += part.seconds;
        self.cpu = self.cpu.plus(part.cpu);
        self.latencies.add(part.latencies)
    }

    /// Per second of the clock.
    pub(super) fn rate(&self) -> f64 {
        f64::from(self.amount) / self.seconds
    }

    /// CPU time for each, in milliseconds.
    pub(super) fn milliseconds_of(&self, cpu: Duration) -> f64 {
        1000.0 / self.rate_of(cpu)
    }

    /// Per second of CPU time.
    pub(super) fn rate_of(&self, cpu: Duration) -> f64 {
        f64::from(self.amount) / cpu.as_secs_f64()
    }
}

fn empty() -> anyhow::Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, 120_000_000, 3).context("a histogram cannot be made")
}
