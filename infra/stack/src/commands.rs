//! The command line.

use std::ffi::OsString;
use std::io::BufRead;
use std::io::IsTerminal;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process;
use std::process::ExitCode;

use anyhow::Context;
use anyhow::bail;
use clap::Args;
use clap::Parser;
use clap::Subcommand;
use https_client::issue_client_token;
use https_client::issue_token;
use https_client::present_step;
use progress::Progress;
use serde::Serialize;
use stack::Accounts;
use stack::Home;
use stack::Names;
use stack::Options;
use stack::Settings;
use stack::Status;
use stack::compose;
use stack::compose::Containers;
use tools::binaries;

mod import_files;

use import_files::Import;

/// Runs the whole stack on this machine: web, app, database and keys.
#[derive(Debug, Parser)]
#[command(name = "cargo stack", bin_name = "cargo stack", version)]
pub(crate) struct Cli {
    /// Folder of the stack's data, certificates, logs and state [default: .stack]
    #[arg(long, env = "STACK_HOME", global = true)]
    home: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts everything, fills it on first start, and stays until Ctrl-C
    Up(Up),
    /// Stops everything in order
    Down,
    /// Addresses, processes and sign-ins
    Status(StatusOptions),
    /// Removes the stack's data, keys and certificates
    Reset(Reset),
    /// Shows what the processes wrote
    Logs(Logs),
    /// Prints a bearer token of a demo account
    Token(Person),
    /// Prints the present code of a demo account's authenticator app, for the sign-in page
    Code(Person),
    /// Imports FHIR R4 bundles (.json, .ndjson, either with .gz) over web's HTTPS interface
    #[command(after_help = import_files::EXAMPLES)]
    Import(Import),
    /// Compares every stored row with the audit log once: fails if one is not as it was written
    Scrub,
    /// The steps of a rolling upgrade: the schema first, and at last the end (see db/README.md)
    #[command(subcommand)]
    Upgrade(stack::Upgrade),
    /// The same stack in containers (Docker), for integration tests too
    Compose(Compose),
    /// The reference architecture on AWS: its templates checked, mutated and deployed (`infra --help` lists how)
    #[command(disable_help_flag = true)]
    Infra(ForwardedArguments),
    /// Takes every check that a change has to pass, and ends in one line
    Test(Test),
    /// Measures the stack, each figure beside a peer; writes tables and plots to target/bench/
    #[command(disable_help_flag = true)]
    Bench(ForwardedArguments),
    /// Gives a fork its own title, name and trust domain, in every file
    #[command(
        after_help = "Example: cargo stack rename \"Acme Health\" --name acme-health --trust-domain acme.internal"
    )]
    Rename(Rename),
    /// Watches over the processes that `up --detach` started
    #[command(hide = true)]
    Supervise,
}

#[derive(Debug, Args)]
struct Up {
    #[command(flatten)]
    options: Options,
    /// Return once everything is ready
    #[arg(long, short)]
    detach: bool,
}

#[derive(Debug, Args)]
struct StatusOptions {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Reset {
    /// Skip the confirmation
    #[arg(long, short)]
    yes: bool,
}

#[derive(Debug, Args)]
struct Logs {
    /// web, app, mysql, … [default: all]
    process: Option<String>,
    /// Follow the log
    #[arg(long, short)]
    follow: bool,
}

#[derive(Debug, Args)]
struct Person {
    /// A role of which `infra/demo.json` has a person, or service for a machine client
    #[arg(long, default_value = "clinician")]
    role: String,
    /// An organization's name, or the beginning of it
    #[arg(long)]
    organization: Option<String>,
}

#[derive(Debug, Args)]
struct Rename {
    /// The title on the pages
    title: String,
    /// The name of folders, containers and cloud resources [default: from the title]
    #[arg(long)]
    name: Option<String>,
    /// The SPIFFE trust domain [default: NAME.internal]
    #[arg(long)]
    trust_domain: Option<String>,
}

/// The arguments of a command that is a program of its own, built when it is first run.
#[derive(Debug, Args)]
struct ForwardedArguments {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

#[derive(Debug, Args)]
struct Compose {
    /// Name of the compose project: projects with other names and ports run side by side
    #[arg(long, global = true, env = "COMPOSE_PROJECT_NAME", default_value = compose::PROJECT)]
    project: String,
    #[command(subcommand)]
    command: ComposeCommand,
}

#[derive(Debug, Subcommand)]
enum ComposeCommand {
    /// Builds the images, starts the containers and waits until they serve; installs an engine where
    /// there is none
    Up(compose::UpOptions),
    /// Removes the containers
    Down {
        /// Remove their data, keys and certificates as well
        #[arg(long)]
        volumes: bool,
    },
    /// Addresses, CA, sign-ins and containers
    Status(StatusOptions),
    /// Replaces the database with an empty one; passwords, keys and certificates stay
    Reset,
    /// Prints a bearer token of a demo account
    Token(Person),
    /// Imports the synthetic patients of tests/data
    Seed,
}

#[derive(Debug, Args)]
struct Test {
    /// Only this step: format, lints, deny, unit, infra, database, stack, edge, browser, compose
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
}

/// Runs a command.
pub(crate) async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let home = match cli.home {
        Some(home) => Home::at(&home)?,
        None => Home::at(&tools::workspace::root()?.join(".stack"))?,
    };
    match cli.command {
        Command::Up(up) => {
            let settings = Settings {
                home: home.root().to_path_buf(),
                options: up.options,
            };
            stack::up(settings, up.detach, |text| print!("{text}")).await?;
        }
        Command::Down => stack::down(&home).await?,
        Command::Status(options) => status(&home, options.json)?,
        Command::Reset(reset) => confirm_reset(&home, reset.yes)?,
        Command::Logs(logs) => {
            let only = logs.process.as_deref();
            stack::show_logs(&home, only, logs.follow, |line| println!("{line}")).await?;
        }
        Command::Token(person) => print_token(&home, &person).await?,
        Command::Code(person) => print_code(&home, &person)?,
        Command::Import(import) => return import.run(&home).await,
        Command::Compose(command) => run_compose(&home, command).await?,
        Command::Scrub => print!("{}", stack::scrub(&home).await?),
        Command::Upgrade(step) => print!("{}", stack::upgrade(&home, step).await?),
        Command::Infra(command) => return Err(run_program("posture", &command.arguments)),
        Command::Bench(command) => return Err(run_program("bench", &command.arguments)),
        Command::Test(test) => {
            let passed = stack::test(&test.only).await?;
            return Ok(if passed {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            });
        }
        Command::Rename(rename) => print_renamed(rename)?,
        Command::Supervise => stack::supervise(home).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn run_compose(home: &Home, compose: Compose) -> anyhow::Result<()> {
    let containers = Containers::new(home, &compose.project)?;
    let progress = Progress::shown();
    match compose.command {
        ComposeCommand::Up(options) => containers.up(options, progress).await?,
        ComposeCommand::Down { volumes } => containers.down(volumes, progress).await?,
        ComposeCommand::Status(options) => {
            let status = containers.status().await?;
            if options.json {
                print_json(&status)?;
            } else {
                print!("{status}");
            }
        }
        ComposeCommand::Reset => containers.reset(progress).await?,
        ComposeCommand::Token(token) => {
            let organization = token.organization.as_deref();
            println!("{}", containers.token(&token.role, organization).await?);
        }
        ComposeCommand::Seed => containers.seed(progress).await?,
    }
    Ok(())
}

/// Builds a program of the workspace and becomes it. Returns only the error that prevents this.
fn run_program(name: &str, arguments: &[OsString]) -> anyhow::Error {
    match binaries::obtain_only(&[name], false) {
        Ok(folder) => {
            let error = process::Command::new(folder.join(name))
                .args(arguments)
                .exec();
            anyhow::Error::new(error).context(format!("`{name}` cannot be started"))
        }
        Err(error) => error,
    }
}

fn status(home: &Home, json: bool) -> anyhow::Result<()> {
    let status = Status::of(home)?;
    if json {
        print_json(&status)?;
    } else {
        print!("{}", stack::status_table(&status));
    }
    Ok(())
}

fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let json = serde_json::to_string_pretty(value).context("the status cannot be put in JSON")?;
    println!("{json}");
    Ok(())
}

fn confirm_reset(home: &Home, yes: bool) -> anyhow::Result<()> {
    let folder = home.root().display();
    if !home.root().exists() {
        println!("There is nothing in {folder}.");
        return Ok(());
    }
    if !yes {
        if !std::io::stdin().is_terminal() {
            bail!("reset removes {folder} with all its data: confirm with --yes");
        }
        print!(
            "This removes {folder} with all patients, keys and certificates in it. Sure? [y/N] "
        );
        std::io::stdout()
            .flush()
            .context("the question cannot be shown")?;
        let mut reply = String::new();
        std::io::stdin()
            .lock()
            .read_line(&mut reply)
            .context("the reply cannot be read")?;
        if !matches!(reply.trim(), "y" | "Y" | "yes") {
            bail!("nothing was removed");
        }
    }
    stack::reset(home)?;
    println!("{folder} is removed; `cargo stack up` makes a new stack.");
    Ok(())
}

fn print_renamed(rename: Rename) -> anyhow::Result<()> {
    let names = Names::from_title(&rename.title, rename.name, rename.trust_domain)?;
    let changed = stack::rename(&tools::workspace::root()?, &names)?;
    println!(
        "{} files now name the product \"{}\" ({}, trust domain {}).",
        changed.len(),
        names.title,
        names.name,
        names.trust_domain
    );
    println!(
        "Next: review and commit; `cargo stack reset` if a stack exists (its certificates carry the old trust domain); then `cargo stack test`."
    );
    Ok(())
}

async fn print_token(home: &Home, wanted: &Person) -> anyhow::Result<()> {
    let status = Status::of(home)?;
    let accounts = Accounts::existing(home)?;
    let organization = wanted.organization.as_deref();
    let client = status.client()?;
    let token = if wanted.role == "service" {
        let machine_client = accounts.client(organization)?;
        let credentials = machine_client.credentials()?;
        issue_client_token(&client, &credentials, &machine_client.scopes).await?
    } else {
        let person = accounts.person(&wanted.role, organization)?;
        issue_token(&client, &person.credentials()).await?
    };
    println!("{token}");
    Ok(())
}

fn print_code(home: &Home, wanted: &Person) -> anyhow::Result<()> {
    let accounts = Accounts::existing(home)?;
    let person = accounts.person(&wanted.role, wanted.organization.as_deref())?;
    let totp = person.totp.as_ref();
    let totp = totp.context("accounts of this role sign in with their password alone")?;
    let (step, until_next) = present_step()?;
    println!("{}", totp.code(step)?);
    eprintln!(
        "accepted once, for {} s more at least",
        until_next.as_secs() + 30
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
