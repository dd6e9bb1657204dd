//! The third-party linters: cfn-lint and the HIPAA pack of cdk-nag. A script in `programs/` drives each. It reads the
//! paths of documents from standard input, one a line, and prints the findings of all as one JSON object; all documents
//! are checked in one run, because starting a linter takes longer than checking a document.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context;
use anyhow::bail;
use serde::Deserialize;

use progress::Progress;
use tools::NODE;
use tools::Npm;
use tools::Python;

/// AWS's own linter of `CloudFormation`.
const CFN_LINT: Python = Python {
    name: "cfn-lint",
    requirements: include_str!("../../../requirements/cfn-lint.txt"),
};

/// cdk-nag with its HIPAA pack, and the part of the CDK that reads documents.
const CDK_NAG: Npm = Npm {
    name: "cdk-nag-3.0.2",
    node: NODE,
    files: &[
        (
            "package.json",
            include_str!("../../../programs/cdk-nag/package.json"),
        ),
        (
            "package-lock.json",
            include_str!("../../../programs/cdk-nag/package-lock.json"),
        ),
    ],
};

/// A linter with rules of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Linter {
    /// cfn-lint.
    CfnLint,
    /// The HIPAA Security pack of cdk-nag.
    CdkNag,
}

/// A finding of a linter in one document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(super) struct Finding {
    /// The linter's own name of the rule.
    pub(super) rule: String,
    /// The logical id of the resource, or `*`.
    pub(super) resource: String,
    /// The linter's own message.
    pub(super) message: String,
}

impl Linter {
    /// Every linter.
    pub(super) const ALL: [Self; 2] = [Self::CfnLint, Self::CdkNag];

    /// Checks documents, and returns the findings by the document's path.
    ///
    /// # Errors
    /// When the linter cannot be installed, or fails.
    pub(super) fn run(
        self,
        documents: &[PathBuf],
        progress: Progress,
    ) -> anyhow::Result<BTreeMap<PathBuf, Vec<Finding>>> {
        run(&mut self.command(progress)?, documents).with_context(|| format!("{self} failed"))
    }

    fn command(self, progress: Progress) -> anyhow::Result<Command> {
        match self {
            Self::CfnLint => {
                let script = include_str!("../../../programs/cfn-lint/check.py");
                let mut command = Command::new(CFN_LINT.obtain(progress)?.join("bin/python"));
                command.args(["-c", script]);
                Ok(command)
            }
            Self::CdkNag => {
                let script = include_str!("../../../programs/cdk-nag/check.mjs");
                let folder = CDK_NAG.obtain(progress)?;
                let mut command = CDK_NAG.node(progress)?;
                command.args(["--input-type=module", "--eval", script]);
                command.current_dir(folder);
                Ok(command)
            }
        }
    }
}

fn run(
    command: &mut Command,
    documents: &[PathBuf],
) -> anyhow::Result<BTreeMap<PathBuf, Vec<Finding>>> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("the linter cannot be started")?;
    let paths = documents.iter().map(|path| path.display().to_string());
    let lines = paths.collect::<Vec<_>>().join("\n") + "\n";
    let mut input = child.stdin.take().context("standard input is not piped")?;
    input
        .write_all(lines.as_bytes())
        .context("the paths cannot be written to standard input")?;
    drop(input);
    let output = child
        .wait_with_output()
        .context("the output cannot be read")?;
    if !output.status.success() {
        bail!(
            "{}:\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    serde_json::from_slice(&output.stdout).context("the output is not the expected JSON")
}

impl fmt::Display for Linter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CfnLint => "cfn-lint",
            Self::CdkNag => "cdk-nag",
        })
    }
}
