//! `cargo stack bench web`: web beside nginx and HAProxy, each configured for the same work: TLS 1.3 with a P-256
//! certificate, HTTP/1.1 over kept connections of mutual TLS to an origin whose responses have 1 KiB, an access log in
//! a file, one worker. Only web has policies on.
//!
//! The proxy that is measured has one core; load and origin share another. They cost about as much per request as a
//! proxy does, so that the rate says less than the CPU time: the latter is compared. Rounds interleave the proxies, so
//! that other work of the machine hits all of them; a ratio is the median of the rounds' ratios.

mod peers;
mod plot;
mod proxies;
mod results;
mod running;
mod saturated;
mod site;

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use load::Client;
use load::Group;
use load::Protocol;

use super::effort::Effort;
use super::pin;
use progress::Progress;
use stack::StopSignals;

use results::Figure;
use results::Results;
use running::Running;
use site::Site;

/// The requested path: a route that needs no authentication.
const PATH: &str = "/fhir/metadata";

/// The part of the slowest's rate at which latency is taken.
const PART: f64 = 0.6;

/// The options of `bench web`.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub(super) struct Options {
    /// web: about how long each load lasts
    #[arg(long, env = "STACK_BENCH_SECONDS", default_value_t = 4)]
    seconds: u16,
    /// web: how often each proxy has its turn
    #[arg(long, env = "STACK_BENCH_ROUNDS", default_value_t = 5)]
    rounds: u16,
    /// web: beside these alone [default: all]
    #[arg(long, value_delimiter = ',', value_name = "PEER", value_parser = peers::NAMES)]
    beside: Vec<String>,
    /// web: these measurements alone [default: all]
    #[arg(long, value_delimiter = ',', value_name = "WHAT", value_parser = ["h1", "h2", "handshakes", "latency"])]
    what: Vec<String>,
    /// web: beside no other proxy
    #[arg(long, conflicts_with = "beside")]
    alone: bool,
    /// web: another build of web to measure beside this one
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
}

impl Options {
    fn wants(&self, what: &str) -> bool {
        self.what.is_empty() || self.what.iter().any(|wanted| wanted == what)
    }

    /// The same, or the shortest form of it: one round, and no other proxy.
    fn with(&self, effort: Effort) -> Self {
        let mut options = self.clone();
        if effort.is_brief() {
            options.seconds = 1;
            options.rounds = 1;
            options.alone = true;
        }
        options
    }

    fn measures_beside(&self, peer: &str) -> bool {
        !self.alone && (self.beside.is_empty() || self.beside.iter().any(|wanted| wanted == peer))
    }

    fn length(&self) -> Duration {
        Duration::from_secs(self.seconds.max(1).into())
    }
}

/// Measures, writes table, numbers and plots, and returns the table.
pub(super) async fn measure(
    output: &Path,
    options: &Options,
    effort: Effort,
) -> anyhow::Result<String> {
    let options = &options.with(effort);
    let mut signals = StopSignals::listen()?;
    peers::provide_load()?;
    let site = Site::prepare(&output.join("web"), options.baseline.as_deref())?;
    let (proxies, missing) = proxies::all(&site, options)?;
    let _precedence = pin::Precedence::take();
    let _origin = Running::origin(&site).await?;
    let mut running = Vec::new();
    for proxy in proxies {
        running.push(Running::start(proxy, &site).await?);
    }
    let mut results = Results::new(running.iter().map(|it| &it.proxy), missing, options);
    let measured = tokio::select! {
        measured = rounds(&running, options, &mut results) => measured,
        () = signals.received() => Err(anyhow::anyhow!("interrupted")),
    };
    for one in &mut running {
        one.stop().await?;
    }
    measured?;
    site.remove_logs();
    remove_plots(output);
    results.write(output)?;
    Ok(results.table())
}

/// An earlier run may have measured more.
fn remove_plots(output: &Path) {
    for file in fs::read_dir(output).into_iter().flatten().flatten() {
        let path = file.path();
        let name = path.file_name().and_then(OsStr::to_str);
        let is_plot = path.extension() == Some(OsStr::new("svg"));
        if is_plot && name.is_some_and(|name| name.starts_with("web-")) {
            let _ = fs::remove_file(path);
        }
    }
}

async fn rounds(
    running: &[Running],
    options: &Options,
    results: &mut Results,
) -> anyhow::Result<()> {
    for one in running {
        results.add(one, Figure::MemoryIdle, one.resident()?);
    }
    for round in 1..=options.rounds {
        let step = Progress::shown().step(&format!("round {round} of {}", options.rounds));
        // The proxies are measured one right after another, so that they meet the same conditions.
        for protocol in [Protocol::Http1, Protocol::Http2] {
            for one in running.iter().filter(|_| options.wants(protocol.name())) {
                saturate(one, protocol, options, results)
                    .await
                    .with_context(|| one.proxy.title.clone())?;
            }
        }
        for group in [Group::X25519, Group::MlKem] {
            for one in running.iter().filter(|_| options.wants("handshakes")) {
                shake_hands(one, group, options, results)
                    .await
                    .with_context(|| one.proxy.title.clone())?;
            }
        }
        step.done();
    }
    if options.wants("latency") && options.wants("h1") {
        latencies(running, Protocol::Http1, options, results).await?;
    }
    if options.wants("latency") && options.wants("h2") {
        latencies(running, Protocol::Http2, options, results).await?;
    }
    for one in running {
        results.add(one, Figure::MemoryPeak, one.peak()?);
    }
    Ok(())
}

async fn saturate(
    one: &Running,
    protocol: Protocol,
    options: &Options,
    results: &mut Results,
) -> anyhow::Result<()> {
    let load = saturated::run(one, protocol, options.length()).await?;
    results.add(one, Figure::Rate(protocol), load.rate);
    results.add(one, Figure::Cpu(protocol), load.micros);
    results.add(one, Figure::Busy(protocol), load.busy);
    Ok(())
}

/// Microseconds of CPU time for a new connection: TCP, a full handshake, one request, close.
async fn shake_hands(
    one: &Running,
    group: Group,
    options: &Options,
    results: &mut Results,
) -> anyhow::Result<()> {
    if !one.proxy.groups.contains(&group) {
        return Ok(());
    }
    let client = client(one, Protocol::Http1, group)?;
    // The first ones meet cold caches.
    let warm_up = load::handshakes(client.clone(), options.length() / 8);
    one.load(warm_up).await?;
    let (done, cpu) = one.load(load::handshakes(client, options.length())).await?;
    let micros = cpu.as_secs_f64() * 1e6 / f64::from(done);
    results.add(one, Figure::Handshake(group), micros);
    Ok(())
}

/// Latency at rates that are the same for all: one that the slowest bears, and one that nginx does.
async fn latencies(
    running: &[Running],
    protocol: Protocol,
    options: &Options,
    results: &mut Results,
) -> anyhow::Result<()> {
    let rates = running
        .iter()
        .filter_map(|one| results.median(&one.proxy, Figure::Rate(protocol)));
    let slowest = rates.fold(f64::INFINITY, f64::min);
    let nginx = running
        .iter()
        .find(|one| one.proxy.name == "nginx")
        .and_then(|one| results.median(&one.proxy, Figure::Rate(protocol)));
    // Where nginx is the slowest, one rate is both.
    let slowest = Some(slowest).filter(|slowest| nginx.is_none_or(|nginx| *slowest < nginx));
    let steps = [(slowest, false), (nginx, true)];
    for (rate, high) in steps {
        let Some(rate) = rate.filter(|rate| rate.is_finite()).map(|rate| rate * PART) else {
            continue;
        };
        results.note_rate(protocol, high, rate);
        let step = Progress::shown().step(&format!(
            "latency at {rate:.0} requests/s, {}",
            protocol.title()
        ));
        for _ in 0..options.rounds {
            for one in running {
                let bears = results.median(&one.proxy, Figure::Rate(protocol));
                if bears.is_none_or(|bears| bears * 0.8 < rate) {
                    continue;
                }
                let client = client(one, protocol, Group::X25519)?;
                let load = load::steady(client, rate, options.length());
                let (latencies, _) = one.load(load).await?;
                let (p50, p99) = (latencies.milliseconds(50.0), latencies.milliseconds(99.0));
                results.add(one, Figure::Median(protocol, high), p50);
                results.add(one, Figure::Tail(protocol, high), p99);
            }
        }
        step.done();
    }
    Ok(())
}

fn client(one: &Running, protocol: Protocol, group: Group) -> anyhow::Result<Client> {
    Client::new(one.proxy.port, PATH, &one.authority, protocol, group)
}
