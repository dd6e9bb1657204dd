//! `cargo stack bench floods`: what one greedy client costs another one.
//!
//! Each flood is sent from one address while a clinician at another one reads a patient at a fixed
//! rate, on a stack with production limits. The peer of each figure is the same read on the quiet
//! stack, measured right before.

mod attacks;

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::Context;
use anyhow::bail;
use bytes::Bytes;
use hdrhistogram::Histogram;
use http::Request;
use http::header;
use tokio::time::Instant;

use super::PatientRead;
use super::Place;
use super::figures::Figures;
use super::median;
use crate::front_door::Connection;
use crate::front_door::FrontDoor;
use crate::progress::Progress;

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
/// How often each flood is measured. The median counts.
const ROUNDS: u32 = 3;

/// The latencies of a victim's reads, and how many were refused.
struct Served {
    latencies: Histogram<u64>,
    refused: u32,
}

pub(super) async fn measure(place: &Place, figures: &mut Figures) -> anyhow::Result<()> {
    let victim = place.patient_read().await?;
    let target =
        Target::prepare(&place.accounts()?, FrontDoor::of(&place.stack.status()?)?).await?;
    for attack in Attack::ALL {
        let step = Progress::shown().step(attack.title());
        let (mut quiet, mut flooded) = (Vec::new(), Vec::new());
        let (mut refused, mut reads) = (0, 0);
        for _ in 0..ROUNDS {
            quiet.push(victim.read_for(QUIET).await?.p99());
            let flood = tokio::spawn(attack.run(target.clone()));
            tokio::time::sleep(LEAD).await;
            let served = victim.read_for(FLOODED).await;
            let ended = flood.is_finished();
            flood.abort();
            let served = served?;
            if ended {
                bail!("{} ended before it was measured", attack.title());
            }
            flooded.push(served.p99());
            refused += served.refused;
            reads += served.latencies.len();
        }
        let name = format!(
            "p99 of a read during {} ({refused} of {reads} refused)",
            attack.title()
        );
        let (quiet, flooded) = (median(&quiet), median(&flooded));
        let (quiet, flooded) = quiet.zip(flooded).context("no rounds")?;
        figures.add(&name, flooded, "ms", ("quiet", quiet));
        step.done();
    }
    Ok(())
}

impl PatientRead {
    /// Reads at a fixed rate. The latency of a read counts from the time at which it was due.
    async fn read_for(&self, span: Duration) -> anyhow::Result<Served> {
        let mut connection = self.door.connect_from(VICTIM).await?;
        let mut served = Served {
            latencies: Histogram::new_with_bounds(1, 60_000_000, 3).context("a histogram")?,
            refused: 0,
        };
        // The connection's first request is not one of those that are measured.
        self.read(&mut connection).await?;
        let mut due = Instant::now();
        let end = due + span;
        while due < end {
            tokio::time::sleep_until(due).await;
            if !self.read(&mut connection).await? {
                served.refused += 1;
            }
            let micros = u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX);
            served.latencies.saturating_record(micros);
            due += INTERVAL;
        }
        Ok(served)
    }

    /// Whether the read was served.
    async fn read(&self, connection: &mut Connection) -> anyhow::Result<bool> {
        let request = Request::get(&self.path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .body(Bytes::new())
            .context("the request cannot be made")?;
        Ok(connection.send(request).await?.status().is_success())
    }
}

impl Served {
    /// In milliseconds.
    fn p99(&self) -> f64 {
        let micros = self.latencies.value_at_quantile(0.99);
        u32::try_from(micros).map_or(f64::NAN, f64::from) / 1000.0
    }
}
