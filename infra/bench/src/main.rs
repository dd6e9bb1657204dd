#![doc = include_str!("../README.md")]
#![expect(clippy::print_stdout, reason = "results are printed")]

mod closed_loop;
mod cpu;
mod effort;
mod fhir;
mod figures;
mod floods;
mod footprint;
mod imports;
mod pin;
mod place;
mod plot;
mod reads;
mod roster;
mod start;
mod web;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use anyhow::anyhow;
use clap::Parser;
use clap::ValueEnum;
use progress::Progress;
use stack::StopSignals;
use tools::binaries;
use tools::workspace;

use effort::Effort;
use figures::Figures;
use place::ClientLimits;
use place::Place;

/// Measures the stack, each figure beside a peer; writes tables and plots to target/bench/.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "cargo stack bench",
    bin_name = "cargo stack bench",
    after_help = "Example: cargo stack bench web --beside nginx,haproxy --rounds 3 --seconds 2"
)]
struct Options {
    /// Only this benchmark [default: all]
    name: Option<Benchmark>,
    #[command(flatten)]
    effort: Effort,
    #[command(flatten)]
    roster: roster::Sizes,
    #[command(flatten)]
    floods: floods::Options,
    #[command(flatten)]
    fhir: fhir::Options,
    #[command(flatten)]
    web: web::Options,
}

/// What is measured, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Benchmark {
    /// From `up` to ready
    Start,
    /// The import of a whole record
    Import,
    /// Reads of one Patient
    Reads,
    /// Storing, listing and finding many patients
    Roster,
    /// Resident memory of the idle tiers
    Memory,
    /// Size of the binaries
    Size,
    /// Imports, searches, and writes of single resources
    Fhir,
    /// What one greedy client costs another one
    Floods,
    /// web alone, beside other proxies
    Web,
}

/// An empty stack, on which some of the benchmarks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The stack of most benchmarks.
    Shared,
    /// One whose size is known.
    Charts,
    /// One with the limits of production.
    Limited,
}

impl Stage {
    /// In the order in which they are used.
    const ALL: [Self; 3] = [Self::Shared, Self::Charts, Self::Limited];

    /// The limits that web has for a client.
    fn client_limits(self) -> ClientLimits {
        match self {
            Self::Shared | Self::Charts => ClientLimits::Raised,
            Self::Limited => ClientLimits::Production,
        }
    }
}

impl Benchmark {
    /// The stack on which this is measured.
    fn stage(self) -> Stage {
        match self {
            Self::Floods => Stage::Limited,
            Self::Fhir => Stage::Charts,
            Self::Start
            | Self::Import
            | Self::Reads
            | Self::Roster
            | Self::Memory
            | Self::Size
            | Self::Web => Stage::Shared,
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match bench(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Takes all benchmarks or the named one; prints the tables and writes them with their plots to `target/bench/`.
async fn bench(options: &Options) -> anyhow::Result<()> {
    let folder = if options.effort.is_brief() {
        "target/bench/brief"
    } else {
        "target/bench"
    };
    let output = workspace::root()?.join(folder);
    fs::create_dir_all(&output).with_context(|| format!("{} cannot be made", output.display()))?;
    let mut of_stack: Vec<Benchmark> = match options.name {
        Some(name) => vec![name],
        None => Benchmark::value_variants().to_vec(),
    };
    let wants_web = of_stack.contains(&Benchmark::Web);
    of_stack.retain(|benchmark| *benchmark != Benchmark::Web);
    if !of_stack.is_empty() {
        let figures = bench_stack(&output, &of_stack, options).await?;
        println!("\n{}", figures.table());
        figures.write(&output)?;
    }
    if wants_web {
        let table = web::measure(&output, &options.web, options.effort).await?;
        println!("\n{table}");
    }
    println!("written to {}", output.display());
    Ok(())
}

/// Measures on an empty stack, and on others what needs one of its own.
async fn bench_stack(
    output: &Path,
    benchmarks: &[Benchmark],
    options: &Options,
) -> anyhow::Result<Figures> {
    let binaries = binaries::obtain(true)?;
    let mut signals = StopSignals::listen()?;
    let mut figures = Figures::default();
    for stage in Stage::ALL {
        let chosen = benchmarks
            .iter()
            .copied()
            .filter(|benchmark| benchmark.stage() == stage);
        let chosen: Vec<Benchmark> = chosen.collect();
        if chosen.is_empty() {
            continue;
        }
        let mut place = Place::prepare(output, &binaries, stage.client_limits()).await?;
        let measured = tokio::select! {
            measured = measure(&mut place, &chosen, options, &mut figures) => measured,
            () = signals.received() => Err(anyhow!("interrupted")),
        };
        place.stack.down().await?;
        measured?;
    }
    Ok(figures)
}

async fn measure(
    place: &mut Place,
    benchmarks: &[Benchmark],
    options: &Options,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let effort = options.effort;
    place.stack.start_all().await?;
    for benchmark in benchmarks {
        let name = format!("{benchmark:?}").to_lowercase();
        let step = Progress::shown().step(&format!("measuring {name}"));
        figures.begin(&name);
        match benchmark {
            Benchmark::Start => start::measure(place, effort, figures).await?,
            Benchmark::Import => imports::measure(place, effort, figures).await?,
            Benchmark::Reads => reads::measure(place, effort, figures).await?,
            Benchmark::Roster => roster::measure(place, &options.roster, effort, figures).await?,
            Benchmark::Memory => footprint::memory(place, figures).await?,
            Benchmark::Size => footprint::size(place, figures)?,
            Benchmark::Fhir => fhir::measure(place, &options.fhir, effort, figures).await?,
            Benchmark::Floods => floods::measure(place, &options.floods, effort, figures).await?,
            // Measured without a stack, by itself.
            Benchmark::Web => {}
        }
        step.done();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        <Options as clap::CommandFactory>::command().debug_assert();
    }
}
