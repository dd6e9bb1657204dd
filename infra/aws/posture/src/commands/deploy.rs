//! Deployment into an account: a change set that is shown before it is executed, the release, the migration of the
//! database, and the replacement of the machines.

mod aws;
mod change_set;
mod elf;
mod machines;
mod release;
mod resource_change;
mod stack_deployment;
mod stacks;
mod target;
mod template_upload;
mod wait;

use clap::Args;

use super::project::Project;
use progress::Progress;

use stack_deployment::StackDeployment;
use target::StackName;
pub(super) use target::Target;

/// The options of a deployment.
#[derive(Clone, Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    target: Target,
    /// Make the changes without asking; changes that lose data are confirmed in any case
    #[arg(long, short)]
    yes: bool,
    /// Do not replace the machines
    #[arg(long)]
    no_refresh: bool,
}

/// Deploys a stack after a confirmation. For the main stack, also migrates the database and replaces the machines.
/// Returns false when the user declined.
///
/// # Errors
/// When the account, the region or the release does not match the parameters, or AWS refuses a call.
pub(super) fn deploy(
    project: &Project,
    options: &Options,
    progress: Progress,
) -> anyhow::Result<bool> {
    let deployment = StackDeployment::new(project, &options.target, progress)?;
    let aws = &deployment.aws;
    let release = deployment.release(progress)?;
    let Some(changes) = deployment.change_set(release.as_ref(), progress)? else {
        println!("There are no changes in {}.", deployment.name);
        return Ok(true);
    };
    print!("{changes}");
    if !change_set::confirm(&changes, &deployment.environment.name, options.yes)? {
        changes.discard(aws)?;
        println!("No changes were made.");
        return Ok(false);
    }
    changes.execute(aws, progress)?;
    if deployment.environment.name == "prod" {
        stacks::protect(aws, &deployment.name)?;
    }
    let outputs = stacks::outputs(aws, &deployment.name)?.unwrap_or_default();
    if options.target.stack() == StackName::Main && !options.no_refresh {
        machines::migrate(aws, &outputs, &deployment.migration_log(), progress)?;
        machines::refresh(aws, &outputs, progress)?;
    }
    for (name, value) in &outputs {
        println!("{name} = {value}");
    }
    Ok(true)
}

/// Shows the changes that a deployment would make, and makes none. Templates and parameters are those of this folder;
/// the release is the deployed one.
///
/// # Errors
/// See [`deploy`].
pub(super) fn diff(project: &Project, target: &Target, progress: Progress) -> anyhow::Result<()> {
    let deployment = StackDeployment::new(project, target, progress)?;
    let Some(changes) = deployment.change_set(None, progress)? else {
        println!("There are no changes in {}.", deployment.name);
        return Ok(());
    };
    print!("{changes}");
    changes.discard(&deployment.aws)
}

#[cfg(test)]
mod tests;
