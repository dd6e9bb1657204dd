//! `cargo stack infra`: the templates of `infra/aws`, checked, mutated, drawn and deployed.
#![expect(clippy::print_stdout, reason = "what is found is printed as it comes")]

mod check;
mod deploy;
mod guard;
mod mutate;
mod opinions;
mod policies;
mod project;
mod render;
mod smoke;

use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;

use progress::Progress;

pub(crate) use check::check;
pub(crate) use project::Project;

/// What can be done with the templates.
#[derive(Debug, Subcommand)]
pub enum Infra {
    /// Checks everything that needs no account: orphans, our own rules on every environment, the page
    Lint {
        /// Only the rules of this file of `rules/`
        area: Option<String>,
    },
    /// Makes each single fault of `controls/`, and tells which rule notices it
    Mutate {
        /// Only faults of controls whose id begins so
        controls: Vec<String>,
    },
    /// Prints everything that an environment deploys as one JSON document
    Assemble {
        /// `dev` or `prod`
        environment: String,
    },
    /// Deploys a stack of an environment, after showing what changes
    Deploy(deploy::Options),
    /// Shows what a deployment would change, and changes nothing
    Diff(deploy::Target),
    /// Asks cfn-lint, checkov and cdk-nag, and holds what they find against `findings.toml`
    Opinions,
    /// Creates the environments in an emulator, as far as it knows what is in them
    Smoke,
    /// Tells which public rule sets notice the faults of `mutate`
    Compare {
        /// Only faults of controls whose id begins so
        controls: Vec<String>,
        /// Only the first fault of each control: minutes instead of most of an hour
        #[arg(long)]
        first: bool,
    },
    /// Writes the pages that are made from the templates: `CONTROLS.md`, `reachability.svg`
    Render,
}

/// Takes every proof that needs no account, one after the other: how much was shown, and how much was not.
///
/// # Errors
/// When the templates cannot be read, or a tool cannot be had.
pub(crate) fn prove(progress: Progress) -> anyhow::Result<(u64, u64)> {
    let project = Project::read()?;
    let mut total = (0, 0);
    let mut add = |(shown, not): (u64, u64)| total = (total.0 + shown, total.1 + not);
    add(lint(&project, None, progress)?);
    add(mutate(&project, &[], progress)?);
    add(opinions(&project, progress)?);
    add(smoke(&project, progress)?);
    Ok(total)
}

fn lint(project: &Project, area: Option<&str>, progress: Progress) -> anyhow::Result<(u64, u64)> {
    let found = check(project, area, progress)?;
    found.print("our own rules hold or are proved by unit cases");
    found.counts()
}

fn mutate(
    project: &Project,
    controls: &[String],
    progress: Progress,
) -> anyhow::Result<(u64, u64)> {
    let study = mutate::study(project, controls, progress)?;
    print!("{study}");
    Ok(study.counts())
}

fn opinions(project: &Project, progress: Progress) -> anyhow::Result<(u64, u64)> {
    let found = opinions::weigh(project, progress)?;
    found.print("findings of others stay, each with its reason");
    found.counts()
}

fn smoke(project: &Project, progress: Progress) -> anyhow::Result<(u64, u64)> {
    let mut total = (0, 0);
    for (environment, smoke) in smoke::smoke(project, progress)? {
        print!("{environment}: {smoke}");
        if smoke.faults.is_empty() {
            total.0 += 1;
        } else {
            total.1 += 1;
        }
    }
    Ok(total)
}

/// Does it. The exit code tells whether nothing was found.
///
/// # Errors
/// When the templates cannot be read, or a tool cannot be had.
pub fn run(command: &Infra) -> anyhow::Result<ExitCode> {
    let progress = Progress::shown();
    let project = Project::read()?;
    let is_good = match command {
        Infra::Lint { area } => lint(&project, area.as_deref(), progress)?.1 == 0,
        Infra::Mutate { controls } => mutate(&project, controls, progress)?.1 == 0,
        Infra::Assemble { environment } => {
            let document = project.architecture(environment)?.document();
            let text = serde_json::to_string_pretty(&document).context("the document in JSON")?;
            println!("{text}");
            true
        }
        Infra::Deploy(options) => deploy::deploy(&project, options, progress)?,
        Infra::Diff(target) => {
            deploy::diff(&project, target, progress)?;
            true
        }
        Infra::Opinions => opinions(&project, progress)?.1 == 0,
        Infra::Smoke => smoke(&project, progress)?.1 == 0,
        Infra::Compare { controls, first } => {
            print!("{}", mutate::compare(&project, controls, *first, progress)?);
            true
        }
        Infra::Render => {
            render::write(&project)?;
            true
        }
    };
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
