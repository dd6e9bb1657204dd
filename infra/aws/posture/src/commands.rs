//! The command line: `cargo stack infra`.
#![expect(
    clippy::print_stdout,
    reason = "the results of a command go to standard output"
)]

mod cfn_guard;
mod deploy;
mod findings;
mod lint;
mod mutate;
mod policies;
mod project;
mod render;
mod third_party_lints;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use clap::Subcommand;

use progress::Progress;

use project::Project;

/// Checks, proves and deploys the templates of infra/aws
#[derive(Debug, Parser)]
#[command(name = "posture", bin_name = "cargo stack infra", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Checks the templates against the rules of this repository; needs no AWS account
    ///
    /// Runs the rules of rules/ and their unit cases, the expectations of iam.toml, the reachability rules and the
    /// rules on systemd units, for every environment; checks CloudFormation's quotas, that every resource type, rule and
    /// requirement belongs to a control, and that CONTROLS.md and reachability.svg are current.
    #[command(after_help = "Example: cargo stack infra lint network")]
    Lint {
        /// Run only the rules of rules/TEMPLATE.guard
        template: Option<String>,
    },
    /// Runs cfn-lint and cdk-nag's HIPAA pack; findings.toml lists the suppressed findings
    #[command(after_help = "Example: cargo stack infra linters")]
    Linters,
    /// Introduces each fault that controls/ lists, one at a time, and reports faults that no rule detects
    #[command(after_help = "Example: cargo stack infra mutate keys- logs-trail")]
    Mutate {
        /// Only faults of controls whose id begins with one of these
        controls: Vec<String>,
    },
    /// Prints all resources of an environment as one JSON document, with parameters and conditions resolved
    #[command(after_help = "Example: cargo stack infra assemble prod | jq '.Resources | keys'")]
    Assemble {
        /// `dev` or `prod`
        environment: String,
    },
    /// Shows the changes to a stack, asks for confirmation, and deploys it
    #[command(after_help = "Example: cargo stack infra deploy --environment dev --stack image")]
    Deploy(deploy::Options),
    /// Shows the changes that a deployment would make, and makes none
    #[command(after_help = "Example: cargo stack infra diff --environment prod")]
    Diff(deploy::Target),
    /// Writes the files that are generated from templates and controls: CONTROLS.md and reachability.svg
    #[command(after_help = "Example: cargo stack infra render && git diff --stat infra/aws")]
    Render,
    /// Runs every proof that needs no AWS account: lint, mutate and linters
    ///
    /// The last line has the form of cargo's test summary.
    #[command(after_help = "Example: cargo stack infra prove")]
    Prove,
}

/// Runs a command. The exit code is a failure when a proof found a fault or a deployment was declined.
///
/// # Errors
/// When the templates cannot be read, a program cannot be installed, or AWS refuses a call.
pub(crate) fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    let progress = Progress::shown();
    let project = Project::read()?;
    let succeeded = match &cli.command {
        Command::Lint { template } => lint(&project, template.as_deref(), progress)?.1 == 0,
        Command::Linters => linters(&project, progress)?.1 == 0,
        Command::Mutate { controls } => mutate(&project, controls, progress)?.1 == 0,
        Command::Assemble { environment } => {
            let document = project.architecture(environment)?.document();
            let text = serde_json::to_string_pretty(&document)
                .context("the document cannot be written as JSON")?;
            println!("{text}");
            true
        }
        Command::Deploy(options) => deploy::deploy(&project, options, progress)?,
        Command::Diff(target) => {
            deploy::diff(&project, target, progress)?;
            true
        }
        Command::Render => {
            render::write(&project)?;
            true
        }
        Command::Prove => prove(&project, progress)?,
    };
    Ok(if succeeded {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs every proof that needs no account, and prints a summary that `cargo stack test` counts.
fn prove(project: &Project, progress: Progress) -> anyhow::Result<bool> {
    let counts = [
        lint(project, None, progress)?,
        mutate(project, &[], progress)?,
        linters(project, progress)?,
    ];
    let passed: u64 = counts.iter().map(|(passed, _)| passed).sum();
    let failed: u64 = counts.iter().map(|(_, failed)| failed).sum();
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {verdict}. {passed} passed; {failed} failed");
    Ok(failed == 0)
}

fn lint(
    project: &Project,
    template: Option<&str>,
    progress: Progress,
) -> anyhow::Result<(u64, u64)> {
    let findings = lint::check(project, template, progress)?;
    findings.print("rules and their unit cases");
    findings.counts()
}

fn linters(project: &Project, progress: Progress) -> anyhow::Result<(u64, u64)> {
    let findings = third_party_lints::check(project, progress)?;
    findings.print("suppressed findings of third-party linters");
    findings.counts()
}

fn mutate(
    project: &Project,
    controls: &[String],
    progress: Progress,
) -> anyhow::Result<(u64, u64)> {
    let report = mutate::run(project, controls, progress)?;
    print!("{report}");
    Ok(report.counts())
}
