//! `cargo stack bench floods`: what one greedy client costs another one.
//!
//! Each flood is sent from one address while a clinician at another one reads a patient at a fixed
//! rate, on a stack with production limits. The peer of each figure is the same read on the quiet
//! stack, measured right before.

mod attacks;

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use futures::future::try_join_all;
use hdrhistogram::Histogram;
use http::Request;
use http::header;
use tokio::runtime::Builder;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use super::effort::Effort;
use super::figures::Figures;
use super::figures::median;
use super::pin;
use super::place::PatientRead;
use super::place::Place;
use https_client::Connection;
use progress::Progress;

use attacks::Attack;
use attacks::Target;

/// The address of the client that reads.
const VICTIM: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Interval of the victim's reads: 50 a second.
const INTERVAL: Duration = Duration::from_millis(20);
/// How long the victim reads on the quiet stack, and during each flood.
const QUIET: Duration = Duration::from_secs(4);
const FLOODED: Duration = Duration::from_secs(8);
/// How long a flood lasts before it is measured.
const LEAD: Duration = Duration::from_secs(2);
/// Number of measurements of each flood, of which the median counts.
const ROUNDS: usize = 3;

/// The latencies of a victim's reads, and how many were refused.
struct Served {
    latencies: Histogram<u64>,
    refused: u32,
}

/// Which floods are measured.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub(super) struct Options {
    /// floods: only those whose title contains this text
    #[arg(long, value_name = "TEXT")]
    flood: Option<String>,
}

impl Options {
    fn wants(&self, attack: Attack) -> bool {
        let text = self.flood.as_deref();
        text.is_none_or(|text| attack.title().contains(text))
    }
}

pub(super) async fn measure(
    place: &Place,
    options: &Options,
    effort: Effort,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let victim = place.patient_read().await?;
    let target = Target::prepare(&place.accounts()?, place.stack.status()?.client()?).await?;
    let attacker = attacker()?;
    for attack in Attack::ALL
        .into_iter()
        .filter(|attack| options.wants(*attack))
    {
        let step = Progress::shown().step(attack.title());
        let (mut quiet, mut flooded) = (Vec::new(), Vec::new());
        let (mut refused, mut reads) = (0, 0);
        for _ in 0..effort.rounds(ROUNDS) {
            quiet.push(victim.repeat_for(effort.span(QUIET)).await?.p99());
            let flood = attacker.spawn(attack.run(target.clone()));
            tokio::time::sleep(effort.span(LEAD)).await;
            let served = victim.repeat_for(effort.span(FLOODED)).await;
            flood.abort();
            let served = served?;
            flooded.push(served.p99());
            refused += served.refused;
            reads += served.latencies.len();
        }
        let name = format!(
            "p99 of a read during {} ({refused} of {reads} refused)",
            attack.title()
        );
        let (quiet, flooded) = (median(&quiet), median(&flooded));
        let (quiet, flooded) = quiet.zip(flooded).context("no round was measured")?;
        figures.add(&name, flooded, "ms", ("quiet", quiet));
        step.done();
    }
    attacker.shutdown_background();
    Ok(())
}

/// The runtime of the client that floods. It is another machine as far as possible: its threads run
/// when nothing else does, so that what is measured is the server's work.
fn attacker() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(2)
        .on_thread_start(|| {
            // Without it, the flood costs the victim more.
            let _ = pin::yield_this_thread();
        })
        .enable_all()
        .build()
        .context("the runtime of the flood cannot be started")
}

impl PatientRead {
    /// Reads at a fixed rate, independent of the duration of a read.
    async fn repeat_for(&self, span: Duration) -> anyhow::Result<Served> {
        let connection = self.client.connect_from(VICTIM).await?;
        let mut served = Served {
            latencies: Histogram::new_with_bounds(1, 60_000_000, 3)
                .context("a histogram cannot be made")?,
            refused: 0,
        };
        // The connection's first request is not one of those that are measured.
        self.read(connection.clone(), Instant::now()).await?;
        let start = Instant::now();
        let due = |number| start + INTERVAL * number;
        let reads = (0..).map(due).take_while(|due| *due < start + span);
        let reads = reads.map(|due| self.read(connection.clone(), due));
        for (latency, is_success) in try_join_all(reads).await? {
            let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
            served.latencies.saturating_record(micros);
            served.refused += u32::from(!is_success);
        }
        Ok(served)
    }

    /// One read, when it is due: its latency, and whether it was served.
    async fn read(
        &self,
        mut connection: Connection,
        due: Instant,
    ) -> anyhow::Result<(Duration, bool)> {
        tokio::time::sleep_until(due).await;
        let request = Request::get(&self.path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .body(Bytes::new())
            .context("the request cannot be made")?;
        let response = connection.send(request).await?;
        Ok((due.elapsed(), response.status().is_success()))
    }
}

impl Served {
    /// In milliseconds.
    fn p99(&self) -> f64 {
        let micros = self.latencies.value_at_quantile(0.99);
        u32::try_from(micros).map_or(f64::NAN, f64::from) / 1000.0
    }
}
