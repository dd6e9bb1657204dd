//! The public rule sets that are asked for a second opinion of the templates. Each reads the paths of
//! documents line by line and answers with what it finds in each, all documents in one run: starting
//! such a tool costs more than a document does.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context;
use anyhow::bail;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::CFN_GUARD;
use super::NODE;
use super::Npm;
use super::Python;
use progress::Progress;

/// AWS's own linter of `CloudFormation`.
const CFN_LINT: Python = Python {
    name: "cfn-lint-1.58.0",
    packages: &["cfn-lint==1.58.0"],
};

/// Checkov, which pins so many libraries that nothing else fits beside it.
const CHECKOV: Python = Python {
    name: "checkov-3.3.30",
    packages: &["checkov==3.3.30"],
};

/// cdk-nag with its HIPAA pack, and the part of the CDK that reads documents.
const CDK_NAG: Npm = Npm {
    name: "cdk-nag-3.0.2",
    node: NODE,
    files: &[
        (
            "package.json",
            include_str!("../programs/cdk-nag/package.json"),
        ),
        (
            "package-lock.json",
            include_str!("../programs/cdk-nag/package-lock.json"),
        ),
    ],
};

/// The emulator of AWS, with what it knows of `CloudFormation`.
const MOTO: Python = Python {
    name: "moto-cloudformation-5.2.5",
    packages: &["moto[all]==5.2.5", "flask==3.1.3", "flask-cors==6.0.5"],
};

/// Names the folder of a copy of `aws-guard-rules-registry`. No registry has it, and it is no part of
/// this repository.
pub const GUARD_REGISTRY: &str = "GUARD_RULES_REGISTRY";

/// A tool with rules of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judge {
    /// cfn-lint.
    CfnLint,
    /// checkov.
    Checkov,
    /// The HIPAA Security pack of cdk-nag.
    CdkNag,
    /// The HIPAA set of AWS's registry of guard rules: only to compare with, and only where
    /// [`GUARD_REGISTRY`] is set.
    GuardHipaa,
}

/// What a tool says of one document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Said {
    /// The tool's own name of the rule.
    pub rule: String,
    /// The logical id of the resource, or `*`.
    pub resource: String,
    /// In the tool's words.
    pub message: String,
}

impl Judge {
    /// Those whose findings count.
    pub const ALL: [Self; 3] = [Self::CfnLint, Self::Checkov, Self::CdkNag];

    /// Those that can be compared with here.
    #[must_use]
    pub fn compared() -> Vec<Self> {
        let guard = env::var_os(GUARD_REGISTRY).map(|_| Self::GuardHipaa);
        Self::ALL.into_iter().chain(guard).collect()
    }

    /// Installs it if it is missing.
    ///
    /// # Errors
    /// When Python, `PyPI` or npm cannot be had.
    pub fn obtain(self, progress: Progress) -> anyhow::Result<()> {
        self.command(progress).map(|_| ())
    }

    /// What it says of these documents, by their paths.
    ///
    /// # Errors
    /// When it cannot be had, or fails.
    pub fn say(
        self,
        documents: &[PathBuf],
        progress: Progress,
    ) -> anyhow::Result<BTreeMap<PathBuf, Vec<Said>>> {
        ask(&mut self.command(progress)?, documents)
            .with_context(|| format!("{self} cannot be asked"))
    }

    fn command(self, progress: Progress) -> anyhow::Result<Command> {
        let python = |environment: &Python, script: &str| {
            let program = environment.obtain(progress)?.join("bin/python");
            let mut command = Command::new(program);
            command.args(["-c", script]);
            anyhow::Ok(command)
        };
        match self {
            Self::CfnLint => python(&CFN_LINT, include_str!("../programs/cfn-lint/check.py")),
            Self::Checkov => python(&CHECKOV, include_str!("../programs/checkov/check.py")),
            Self::CdkNag => {
                let script = include_str!("../programs/cdk-nag/check.mjs");
                let folder = CDK_NAG.obtain(progress)?;
                let mut command = CDK_NAG.node(progress)?;
                command.args(["--input-type=module", "--eval", script]);
                command.current_dir(folder);
                Ok(command)
            }
            Self::GuardHipaa => {
                let script = include_str!("../programs/guard-registry/check.py");
                let registry = env::var_os(GUARD_REGISTRY)
                    .with_context(|| format!("{GUARD_REGISTRY} is not set"))?;
                let mut command = Command::new("python3");
                command.args(["-c", script]).arg(Path::new(&registry));
                command.env("CFN_GUARD", CFN_GUARD.obtain(progress)?);
                Ok(command)
            }
        }
    }
}

/// Moto's own way of creating what a document says.
///
/// # Errors
/// When Python or `PyPI` cannot be had.
pub fn moto(progress: Progress) -> anyhow::Result<Command> {
    let program = MOTO.obtain(progress)?.join("bin/python");
    let mut command = Command::new(program);
    command.args(["-c", include_str!("../programs/moto/smoke.py")]);
    Ok(command)
}

/// Its server, which programs speak to as if it were AWS.
///
/// # Errors
/// See [`moto`].
#[cfg(test)]
pub fn moto_server(progress: Progress) -> anyhow::Result<PathBuf> {
    Ok(MOTO.obtain(progress)?.join("bin/moto_server"))
}

/// Gives a tool the paths of documents, a line each, and reads what it says of each.
///
/// # Errors
/// When it cannot be started, fails, or says something else.
pub fn ask<T: DeserializeOwned>(
    command: &mut Command,
    documents: &[PathBuf],
) -> anyhow::Result<BTreeMap<PathBuf, T>> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("it cannot be started")?;
    let paths = documents.iter().map(|path| path.display().to_string());
    let lines = paths.collect::<Vec<_>>().join("\n") + "\n";
    let mut input = child.stdin.take().context("it reads nothing")?;
    input
        .write_all(lines.as_bytes())
        .context("it reads nothing")?;
    drop(input);
    let output = child.wait_with_output().context("it does not end")?;
    if !output.status.success() {
        bail!("it failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).context("what it says cannot be understood")
}

impl fmt::Display for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CfnLint => "cfn-lint",
            Self::Checkov => "checkov",
            Self::CdkNag => "cdk-nag",
            Self::GuardHipaa => "guard-hipaa",
        })
    }
}
