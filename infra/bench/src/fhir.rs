//! `cargo stack bench fhir`: the three loads of public FHIR benchmarks, through web, app and database, with all
//! protections on: imports of whole histories, searches, and the cycle of create, read, update, read and delete over nine
//! types. The peer is the `helios-hfs` server on `PostgreSQL`, with the same requests.
//!
//! Server and load share the cores of this machine. So requests per second of CPU time of app and database are the figure
//! that other work of the machine disturbs least: it is what a benchmark on dedicated cores gives as a rate per vCPU.

mod chart;
mod connection;
mod cycle;
mod facts;
mod histories;
mod imports;
mod measured;
mod peer;
mod postgres;
mod rows;
mod searches;
mod server;

use std::time::Duration;

use anyhow::ensure;

use super::effort::Effort;
use super::figures::Figures;
use super::place::Place;
use progress::Progress;

use histories::Histories;
use measured::Measured;
use peer::Availability;
use peer::Peer;
use rows::Rows;
use server::Server;

/// Duration of each load that has no fixed number of requests.
const SPAN: Duration = Duration::from_secs(20);
/// Patients of a brief run.
const BRIEF_CHARTS: u32 = 8;

/// The extent of `bench fhir`.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub(super) struct Options {
    /// fhir: the number of patients, each with about 70 resources
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    charts: u32,
    /// fhir: the number of connections, each with one request at a time
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=256))]
    clients: u32,
    /// fhir: beside no other server
    #[arg(long)]
    no_peer: bool,
}

/// What the loads have in common.
struct Extent<'h> {
    histories: &'h Histories,
    charts: u32,
    clients: u32,
    span: Duration,
}

/// One of the loads.
#[derive(Clone, Copy)]
enum Shape {
    Imports,
    Searches,
    Cycles,
}

impl Shape {
    /// In the order of a run: later ones need what the first one stores.
    const ALL: [Self; 3] = [Self::Imports, Self::Searches, Self::Cycles];

    fn title(self) -> &'static str {
        match self {
            Self::Imports => "import",
            Self::Searches => "search",
            Self::Cycles => "CRUD",
        }
    }

    async fn run(self, server: &Server, extent: &Extent<'_>) -> anyhow::Result<Measured> {
        let step = Progress::shown().step(&format!("{}: {}", server.title, self.title()));
        let measured = match self {
            Self::Imports => imports::run(server, extent).await?,
            Self::Searches => searches::run(server, extent).await?,
            Self::Cycles => cycle::run(server, extent).await?,
        };
        step.done();
        Ok(measured)
    }
}

pub(super) async fn measure(
    place: &Place,
    options: &Options,
    effort: Effort,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let histories = Histories::read(&place.data)?;
    let charts = if effort.is_brief() {
        BRIEF_CHARTS
    } else {
        options.charts
    };
    let extent = Extent {
        histories: &histories,
        charts,
        clients: options.clients.min(charts),
        span: effort.span(SPAN),
    };
    let own = Server::of_stack(place).await?;
    let availability = if options.no_peer || effort.is_brief() {
        Availability::Unwanted
    } else {
        peer::find()?
    };
    let mut peer = match &availability {
        Availability::Installed(installation) => {
            Some(Peer::start(installation, &place.output).await?)
        }
        Availability::Missing(_) | Availability::Unwanted => None,
    };
    let measured = compare(&own, peer.as_ref(), &extent, &availability, figures).await;
    if let Some(peer) = &mut peer {
        peer.stop().await?;
    }
    measured
}

async fn compare(
    own: &Server,
    peer: Option<&Peer>,
    extent: &Extent<'_>,
    availability: &Availability,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    for shape in Shape::ALL {
        let measured = shape.run(own, extent).await?;
        ensure!(measured.seconds > 0.0, "{} measured nothing", shape.title());
        let beside = match peer {
            Some(peer) => Some(shape.run(&peer.server, extent).await?),
            None => None,
        };
        let mut rows = Rows {
            figures,
            shape: format!("{}, {} patients", shape.title(), extent.charts),
            own: &measured,
            peer: beside.as_ref(),
            peer_title: availability.title(),
        };
        match shape {
            Shape::Imports => rows.add_rate("resources"),
            Shape::Searches | Shape::Cycles => {
                rows.add_rate("requests");
                rows.add_latencies();
            }
        }
    }
    Ok(())
}
