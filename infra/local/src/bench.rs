//! `cargo stack bench`: figures of a release build on this machine, each beside a peer that was
//! measured in the same run. Load comes from this process, over loopback, in bounded amounts; it
//! shares the cores with what it measures.
#![expect(clippy::print_stdout, reason = "what is measured is printed")]

mod figures;
mod footprint;
mod import;
mod load;
mod plot;
mod reads;
mod start;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::home::Home;
use crate::progress::Progress;
use crate::settings::Settings;
use crate::stack::Stack;
use crate::supervise::StopSignals;
use crate::{binaries, up, workspace};

use figures::Figures;

/// The benchmarks, in the order they are taken.
const NAMES: [&str; 5] = ["start", "import", "reads", "memory", "size"];

/// Where measurements happen.
struct Place {
    output: PathBuf,
    data: PathBuf,
    binaries: PathBuf,
    stack: Stack,
}

/// Takes all benchmarks or the named one, prints the table and writes it with its plots to
/// `target/bench/`.
///
/// # Errors
/// When a benchmark is named that there is not, or the stack to be measured does not come up.
pub async fn bench(only: Option<&str>) -> anyhow::Result<()> {
    if let Some(unknown) = only.filter(|name| !NAMES.contains(name)) {
        bail!(
            "there is no benchmark `{unknown}`; there are: {}",
            NAMES.join(", ")
        );
    }
    let root = workspace::root()?;
    let output = root.join("target/bench");
    fs::create_dir_all(&output).context("target/bench cannot be made")?;
    let binaries = binaries::obtain(true)?;
    let mut signals = StopSignals::listen()?;
    let stack = empty_stack(&output.join("stack"), &binaries).await?;
    let mut place = Place {
        data: root.join("tests/data"),
        output,
        binaries,
        stack,
    };
    let measured = tokio::select! {
        measured = measure(&mut place, only) => measured,
        () = signals.received() => Err(anyhow::anyhow!("interrupted")),
    };
    place.stack.down().await?;
    let figures = measured?;
    println!("\n{}", figures.table());
    figures.write(&place.output)?;
    println!("written to {}", place.output.display());
    Ok(())
}

async fn measure(place: &mut Place, only: Option<&str>) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    place.stack.start_all().await?;
    for name in NAMES
        .into_iter()
        .filter(|name| only.is_none_or(|only| only == *name))
    {
        let step = Progress::shown().step(&format!("measuring {name}"));
        match name {
            "start" => start::measure(place, &mut figures).await?,
            "import" => import::measure(place, &mut figures).await?,
            "reads" => reads::measure(place, &mut figures).await?,
            "memory" => footprint::memory(place, &mut figures).await?,
            _ => footprint::size(place, &mut figures)?,
        }
        step.done();
    }
    Ok(figures)
}

async fn empty_stack(folder: &Path, binaries: &Path) -> anyhow::Result<Stack> {
    let home = Home::at(folder)?;
    up::stop_if_running(&home).await?;
    let _ = fs::remove_dir_all(folder);
    let mut settings = Settings::apart(folder)?;
    settings.options.release = true;
    Stack::prepare_with(settings, Progress::shown(), Some(binaries.to_path_buf())).await
}
