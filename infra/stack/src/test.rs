//! `cargo stack test`: every check that a change has to pass, in one run that ends in one line.
#![expect(
    clippy::print_stdout,
    reason = "the output of the steps is printed as it is written"
)]

mod browser;
mod cargo;
mod database;
mod deny;
mod edge;
mod infra;
mod step;
mod whole_stack;

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use anyhow::bail;

use crate::compose;
use crate::compose::Checked;
use crate::stack::Stack;
use crate::supervise::StopSignals;
use progress::Progress;
use tools::binaries;
use tools::workspace;

use step::Counts;
use step::StepResult;

/// The steps in the order in which they run: quick ones that often fail come first.
const STEPS: [&str; 10] = [
    "format", "lints", "deny", "unit", "infra", "database", "stack", "edge", "browser", "compose",
];

/// The programs that tests start.
const PROGRAMS: [&str; 5] = ["app", "bench", "migrate", "posture", "web"];

/// The state that the steps share.
struct Shared {
    root: PathBuf,
    binaries: Option<PathBuf>,
    stack: Option<Stack>,
}

/// Runs all steps or the named ones. True when none failed.
///
/// # Errors
/// When a named step does not exist, or the run is interrupted.
pub async fn test(only: &[String]) -> anyhow::Result<bool> {
    if let Some(unknown) = only.iter().find(|name| !STEPS.contains(&name.as_str())) {
        bail!(
            "there is no step `{unknown}`; there are: {}",
            STEPS.join(", ")
        );
    }
    let chosen: Vec<&str> = STEPS
        .into_iter()
        .filter(|step| only.is_empty() || only.iter().any(|name| name == step))
        .collect();
    let mut signals = StopSignals::listen()?;
    let mut shared = Shared {
        root: workspace::root()?,
        binaries: None,
        stack: None,
    };
    let outcome = tokio::select! {
        outcome = take(&mut shared, &chosen) => Some(outcome),
        () = signals.received() => None,
    };
    if let Some(mut stack) = shared.stack.take() {
        // Before the closing line, which must be the last one.
        stack.down().await?;
    }
    let (lines, total) = outcome.context("interrupted")?;
    println!("\n{}\n\n{total}", lines.join("\n"));
    Ok(total.failed == 0)
}

/// Runs the steps one by one; returns a line for each, and the sum of their tests.
async fn take(shared: &mut Shared, steps: &[&str]) -> (Vec<String>, Counts) {
    let mut total = Counts::default();
    let mut lines = Vec::new();
    for step in steps {
        println!("\n━━ {step}");
        let begun = Instant::now();
        let result = shared.step(step).await;
        let seconds = begun.elapsed().as_secs_f64();
        let counts = match &result {
            Ok(StepResult::Done(counts)) => *counts,
            Ok(StepResult::Skipped(_)) => Counts {
                skipped: 1,
                ..Counts::default()
            },
            Err(_) => Counts {
                failed: 1,
                ..Counts::default()
            },
        };
        total.add(counts);
        let line = match result {
            Ok(StepResult::Done(counts)) if counts.failed > 0 => format!("failed ({counts})"),
            Ok(StepResult::Done(Counts { passed: 0, .. })) => "passed".to_owned(),
            Ok(StepResult::Done(counts)) => format!("passed ({counts})"),
            Ok(StepResult::Skipped(why)) => format!("skipped: {why}"),
            Err(error) => format!("failed: {error:#}"),
        };
        let line = format!("{step:<10} {seconds:>7.1} s  {line}");
        println!("━━ {line}");
        lines.push(line);
    }
    (lines, total)
}

/// Starts the containers and tests them, where a Docker engine is available.
async fn compose_check() -> anyhow::Result<StepResult> {
    match compose::check(Progress::shown()).await? {
        Checked::Passed(sentences) => {
            for sentence in &sentences {
                println!("ok: {sentence}");
            }
            let passed = u64::try_from(sentences.len()).context("too many to count")?;
            Ok(StepResult::Done(Counts {
                passed,
                ..Counts::default()
            }))
        }
        Checked::Skipped(why) => Ok(StepResult::Skipped(why)),
    }
}

/// Folders of crates whose tests in files of their own need no server, each with the folders in it.
const ALONE: [&str; 4] = ["app", "web", "certs", "infra"];

/// The tests in files of their own that need no server.
fn alone(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for crates in ALONE.map(|folder| root.join(folder)) {
        let inside = fs::read_dir(&crates).context("a folder of crates cannot be read")?;
        let inside = inside.filter_map(|entry| Some(entry.ok()?.path()));
        for folder in inside.chain([crates]) {
            let tests = folder.join("tests");
            if folder.join("Cargo.toml").is_file() && tests.is_dir() {
                names.extend(cargo::test_files(&tests)?);
            }
        }
    }
    Ok(names)
}

impl Shared {
    async fn step(&mut self, name: &str) -> anyhow::Result<StepResult> {
        match name {
            "format" => cargo::component(&self.root, "fmt", &["fmt", "--all", "--check"]).await,
            "lints" => {
                let lints = [
                    "clippy",
                    "--workspace",
                    "--all-targets",
                    "--",
                    "-D",
                    "warnings",
                ];
                cargo::component(&self.root, "clippy", &lints).await
            }
            "deny" => deny::check(&self.root).await,
            "unit" => {
                // Other tests in files of their own need a server or a stack: they are the next steps. No step
                // names a package, for then cargo would build the dependencies again with other features.
                let alone = alone(&self.root)?;
                let mut targets = vec!["--lib", "--bins"];
                targets.extend(cargo::only(&alone));
                let mut total = Counts::default();
                // Examples that must not compile stand in the documentation.
                for kind in [&targets[..], &["--doc"]] {
                    if let StepResult::Done(counts) = cargo::test(&self.root, kind, &[]).await? {
                        total.add(counts);
                    }
                }
                Ok(StepResult::Done(total))
            }
            "infra" => infra::test(self).await,
            "database" => database::test_both(&self.root).await,
            "stack" => whole_stack::test(self).await,
            "edge" => edge::test(self).await,
            "browser" => browser::test(self).await,
            "compose" => compose_check().await,
            _ => bail!("there is no step `{name}`"),
        }
    }

    /// The binaries, built once.
    fn binaries(&mut self) -> anyhow::Result<PathBuf> {
        if let Some(binaries) = &self.binaries {
            return Ok(binaries.clone());
        }
        let built = binaries::obtain_only(&PROGRAMS, false)?;
        self.binaries = Some(built.clone());
        Ok(built)
    }
}
