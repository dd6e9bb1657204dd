//! From this folder into an account: a change set that is shown before it is executed, the release,
//! the migration, and the machines that change over to it.

mod aws;
mod change;
mod change_set;
mod elf;
mod machines;
mod package;
mod release;
mod stacks;
mod wait;
mod way;

use clap::Args;
use clap::ValueEnum;

use super::project::Project;
use progress::Progress;

use way::Way;

/// What is deployed, and where.
#[derive(Clone, Debug, Args)]
pub(super) struct Target {
    /// `dev` or `prod`
    #[arg(long)]
    environment: String,
    /// Which of the stacks that are deployed on their own
    #[arg(long, value_enum, default_value_t = StackName::Main)]
    stack: StackName,
}

/// The stacks that are deployed on their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StackName {
    /// The bucket of releases and the pipeline of machine images: first
    Image,
    /// The copies of the logs, in their own account
    Archive,
    /// The vault and keys in the second region
    Recovery,
    /// Everything else
    Main,
}

/// How far a deployment goes.
#[derive(Clone, Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    target: Target,
    /// Do not ask before the changes are made; what would lose data is asked for all the same
    #[arg(long, short)]
    yes: bool,
    /// Leave the machines on the release that they have
    #[arg(long)]
    no_refresh: bool,
}

/// Deploys: asks, changes the stack, and for the main one migrates the database and replaces the
/// machines. False when whoever was asked said no.
///
/// # Errors
/// When the account, the region or the release is not what the parameters say, or AWS refuses.
pub(super) fn deploy(
    project: &Project,
    options: &Options,
    progress: Progress,
) -> anyhow::Result<bool> {
    let way = Way::into(project, &options.target, progress)?;
    deployed(&way, options, progress)
}

fn deployed(way: &Way<'_>, options: &Options, progress: Progress) -> anyhow::Result<bool> {
    let release = way.release(progress)?;
    let Some(changes) = way.change_set(release.as_ref(), progress)? else {
        println!("Nothing to change in {}.", way.name);
        return Ok(true);
    };
    print!("{changes}");
    if !change_set::may_execute(&changes, &way.environment.name, options.yes)? {
        changes.discard(&way.aws)?;
        println!("Nothing was changed.");
        return Ok(false);
    }
    changes.execute(&way.aws, progress)?;
    if way.environment.name == "prod" {
        stacks::protect(&way.aws, &way.name)?;
    }
    let outputs = stacks::outputs(&way.aws, &way.name)?.unwrap_or_default();
    if options.target.stack == StackName::Main && !options.no_refresh {
        machines::migrate(&way.aws, &outputs, &way.migration_log(), progress)?;
        machines::refresh(&way.aws, &outputs, progress)?;
    }
    for (name, value) in &outputs {
        println!("{name} = {value}");
    }
    Ok(true)
}

/// Shows what a deployment would change, and changes nothing. The release is the one that is
/// deployed, so that only templates and parameters differ.
///
/// # Errors
/// See [`deploy`].
pub(super) fn diff(project: &Project, target: &Target, progress: Progress) -> anyhow::Result<()> {
    let way = Way::into(project, target, progress)?;
    let Some(changes) = way.change_set(None, progress)? else {
        println!("Nothing to change in {}.", way.name);
        return Ok(());
    };
    print!("{changes}");
    changes.discard(&way.aws)
}

impl StackName {
    fn template(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Archive => "archive",
            Self::Recovery => "recovery",
            Self::Main => "main",
        }
    }
}

#[cfg(test)]
mod tests;
