//! The AWS CLI. It handles the user's profiles, single sign-on and MFA.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context;
use anyhow::bail;
use serde_json::Value;

use progress::Progress;
use tools::Python;
use tools::packages;

/// The AWS CLI for users without one.
const AWS_CLI: Python = Python {
    name: "aws-cli",
    requirements: include_str!("../../../requirements/aws-cli.txt"),
};

/// The AWS CLI for one region.
#[derive(Clone, Debug)]
pub(super) struct Aws {
    pub(super) program: PathBuf,
    pub(super) region: String,
    /// Environment variables beside those of the user.
    pub(super) variables: Vec<(String, String)>,
}

impl Aws {
    /// The `aws` of the path, or one installed from `PyPI`.
    pub(super) fn find(progress: Progress) -> anyhow::Result<Self> {
        let program = match packages::find("aws") {
            Some(program) => program,
            None => AWS_CLI.obtain(progress).context(
                "the AWS CLI is not on the path and cannot be installed: install it, sign in, and run \
                 this again",
            )?.join("bin/aws"),
        };
        Ok(Self {
            program,
            region: String::new(),
            variables: Vec::new(),
        })
    }

    /// The AWS CLI for another region.
    pub(super) fn in_region(&self, region: &str) -> Self {
        Self {
            region: region.to_owned(),
            ..self.clone()
        }
    }

    /// Calls an operation with its input in the form of the API.
    ///
    /// # Errors
    /// When AWS refuses the call.
    pub(super) fn call(
        &self,
        service: &str,
        operation: &str,
        input: &Value,
    ) -> anyhow::Result<Value> {
        match self.try_call(service, operation, input)? {
            Ok(output) => Ok(output),
            Err(refusal) => bail!("{service} {operation}: {refusal}"),
        }
    }

    /// Calls an operation; a refusal by AWS is the inner error.
    pub(super) fn try_call(
        &self,
        service: &str,
        operation: &str,
        input: &Value,
    ) -> anyhow::Result<Result<Value, String>> {
        let mut command = self.command(service, operation);
        command.arg("--cli-input-json").arg(input.to_string());
        output(&mut command)
    }

    /// Uploads a file unless an object with this key exists: keys contain the hash of the content.
    pub(super) fn upload(&self, bucket: &str, key: &str, file: &Path) -> anyhow::Result<()> {
        let object = serde_json::json!({ "Bucket": bucket, "Key": key });
        if self.try_call("s3api", "head-object", &object)?.is_ok() {
            return Ok(());
        }
        let mut command = self.command("s3api", "put-object");
        command.args([
            "--bucket",
            bucket,
            "--key",
            key,
            "--checksum-algorithm",
            "SHA256",
        ]);
        command.arg("--body").arg(file);
        match output(&mut command)? {
            Ok(_) => Ok(()),
            Err(refusal) => bail!("{key} cannot be uploaded to {bucket}: {refusal}"),
        }
    }

    fn command(&self, service: &str, operation: &str) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args([service, operation, "--region", &self.region])
            .args(["--output", "json"])
            .env("AWS_PAGER", "")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::inherit());
        command
    }
}

fn output(command: &mut Command) -> anyhow::Result<Result<Value, String>> {
    let output = command.output().context("the AWS CLI cannot be started")?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Ok(Err(message));
    }
    if output.stdout.iter().all(u8::is_ascii_whitespace) {
        return Ok(Ok(Value::Null));
    }
    let value = serde_json::from_slice(&output.stdout);
    Ok(Ok(value.context("the output of the AWS CLI is not JSON")?))
}
