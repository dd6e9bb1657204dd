//! `cargo stack bench`: figures of a release build on this machine, each beside a peer that was
//! measured in the same run. Load comes from this process, over loopback, in bounded amounts; it
//! shares the cores with what it measures.
#![expect(clippy::print_stdout, reason = "what is measured is printed")]

mod closed_loop;
mod figures;
mod floods;
mod footprint;
mod imports;
mod pin;
mod plot;
mod reads;
mod roster;
mod start;
mod web;

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use anyhow::bail;
use clap::Parser;

use stack::Accounts;
use tools::binaries;
use https_client::HttpsClient;
use stack::Home;
use import::expand;
use import::first_patient;
use progress::Progress;
use stack::Settings;
use stack::Stack;
use stack::StopSignals;
use https_client::issue_token;
use tools::workspace;

use figures::Figures;
use figures::median;
use figures::short;

/// The benchmarks of the whole stack, in the order they are taken.
const NAMES: [&str; 7] = [
    "start", "import", "reads", "roster", "floods", "memory", "size",
];

/// As much as a database server of its own would give to data, in MiB.
const DATABASE_MEMORY: u16 = 6_144;

/// The benchmark of the edge alone, beside other proxies.
const WEB: &str = "web";

/// Measures the stack, each figure beside a peer; writes tables and plots to target/bench/.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo stack bench", bin_name = "cargo stack bench")]
struct Options {
    /// Only this one: start, import, reads, roster, floods, memory, size, web
    name: Option<String>,
    /// What `roster` measures with
    #[command(flatten)]
    roster: roster::Sizes,
    /// What `floods` measures
    #[command(flatten)]
    floods: floods::Options,
    /// What `web` measures with
    #[command(flatten)]
    web: web::Options,
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

/// Where measurements happen.
struct Place {
    output: PathBuf,
    data: PathBuf,
    binaries: PathBuf,
    stack: Stack,
}

/// A clinician's read of one patient.
struct PatientRead {
    door: HttpsClient,
    path: String,
    token: String,
}

impl Place {
    /// Imports the patient, and signs the clinician in.
    async fn patient_read(&self) -> anyhow::Result<PatientRead> {
        let home = self.stack.home();
        let files = expand(&[self.data.join("riverside")])?;
        let file = files.first().context("tests/data/riverside is empty")?;
        stack::importer(home, None, Progress::hidden())?
            .import(file)
            .await?;
        let accounts = self.accounts()?;
        let door = self.stack.status()?.client()?;
        let token = issue_token(&door, &accounts.person("clinician", None)?.credentials()).await?;
        let path = format!("/fhir/Patient/{}", first_patient(file)?);
        Ok(PatientRead { door, path, token })
    }

    fn accounts(&self) -> anyhow::Result<Accounts> {
        Accounts::read(self.stack.home())?.context("the stack has no accounts")
    }
}

/// Takes all benchmarks or the named one, prints the tables and writes them with their plots to
/// `target/bench/`.
///
/// # Errors
/// When a benchmark is named that there is not, or what is to be measured does not come up.
async fn bench(options: &Options) -> anyhow::Result<()> {
    let only = options.name.as_deref();
    if let Some(unknown) = only.filter(|name| !NAMES.contains(name) && *name != WEB) {
        bail!(
            "there is no benchmark `{unknown}`; there are: {}, {WEB}",
            NAMES.join(", ")
        );
    }
    let root = workspace::root()?;
    let output = root.join("target/bench");
    fs::create_dir_all(&output).context("target/bench cannot be made")?;
    if only != Some(WEB) {
        bench_stack(&root, &output, options).await?;
    }
    if only.is_none_or(|only| only == WEB) {
        println!("\n{}", web::measure(&output, &options.web).await?);
    }
    println!("written to {}", output.display());
    Ok(())
}

async fn bench_stack(root: &Path, output: &Path, options: &Options) -> anyhow::Result<()> {
    let binaries = binaries::obtain(true)?;
    let mut signals = StopSignals::listen()?;
    let stack = empty_stack(&output.join("stack"), &binaries).await?;
    let mut place = Place {
        data: root.join("tests/data"),
        output: output.to_path_buf(),
        binaries,
        stack,
    };
    let measured = tokio::select! {
        measured = measure(&mut place, options) => measured,
        () = signals.received() => Err(anyhow::anyhow!("interrupted")),
    };
    place.stack.down().await?;
    let figures = measured?;
    println!("\n{}", figures.table());
    figures.write(&place.output)
}

async fn measure(place: &mut Place, options: &Options) -> anyhow::Result<Figures> {
    let only = options.name.as_deref();
    let mut figures = Figures::default();
    place.stack.start_all().await?;
    for name in NAMES
        .into_iter()
        .filter(|name| only.is_none_or(|only| only == *name))
    {
        let step = Progress::shown().step(&format!("measuring {name}"));
        match name {
            "start" => start::measure(place, &mut figures).await?,
            "import" => imports::measure(place, &mut figures).await?,
            "reads" => reads::measure(place, &mut figures).await?,
            "roster" => roster::measure(place, &options.roster, &mut figures).await?,
            "floods" => floods::measure(place, &options.floods, &mut figures).await?,
            "memory" => footprint::memory(place, &mut figures).await?,
            _ => footprint::size(place, &mut figures)?,
        }
        step.done();
    }
    Ok(figures)
}

async fn empty_stack(folder: &Path, binaries: &Path) -> anyhow::Result<Stack> {
    let home = Home::at(folder)?;
    stack::stop_if_running(&home).await?;
    let _ = fs::remove_dir_all(folder);
    let mut settings = Settings::apart(folder)?;
    settings.options.release = true;
    settings.options.database_memory = DATABASE_MEMORY;
    Stack::prepare_with(settings, Progress::shown(), Some(binaries.to_path_buf())).await
}
