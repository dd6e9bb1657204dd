//! The stack that a command deploys.

use clap::Args;
use clap::ValueEnum;

/// An environment and a stack.
#[derive(Clone, Debug, Args)]
pub(in crate::commands) struct Target {
    /// `dev` or `prod`
    #[arg(long)]
    environment: String,
    /// A stack that is deployed on its own
    #[arg(long, value_enum, default_value_t = StackName::Main)]
    stack: StackName,
}

/// The stacks that are deployed on their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum StackName {
    /// The bucket of releases and the pipeline of machine images: deploy this first
    Image,
    /// The copies of the logs, in an account of their own
    Archive,
    /// The vault and keys in the second region
    Recovery,
    /// Everything else
    Main,
}

impl Target {
    /// The name of the environment.
    pub(super) fn environment(&self) -> &str {
        &self.environment
    }

    /// The stack.
    pub(super) fn stack(&self) -> StackName {
        self.stack
    }
}

impl StackName {
    /// The name of the template.
    pub(super) fn template(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Archive => "archive",
            Self::Recovery => "recovery",
            Self::Main => "main",
        }
    }
}
