//! The `aws` command. It knows the user's profiles, single sign-on and MFA, which are not ours to
//! handle.

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
    name: "awscli-1.46.3",
    packages: &["awscli==1.46.3"],
};

/// The command, for one region.
#[derive(Clone, Debug)]
pub(super) struct Aws {
    pub(super) program: PathBuf,
    pub(super) region: String,
    /// Variables beside the user's own.
    pub(super) variables: Vec<(String, String)>,
}

impl Aws {
    /// The one on the path, or one of `PyPI` in an environment of its own.
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

    /// The same for another region.
    pub(super) fn in_region(&self, region: &str) -> Self {
        Self {
            region: region.to_owned(),
            ..self.clone()
        }
    }

    /// Calls an operation with its input as the API has it.
    ///
    /// # Errors
    /// In AWS's own words, when it refuses.
    pub(super) fn call(
        &self,
        service: &str,
        operation: &str,
        input: &Value,
    ) -> anyhow::Result<Value> {
        match self.ask(service, operation, input)? {
            Ok(answer) => Ok(answer),
            Err(refusal) => bail!("{service} {operation}: {refusal}"),
        }
    }

    /// The same; a refusal is an answer.
    pub(super) fn ask(
        &self,
        service: &str,
        operation: &str,
        input: &Value,
    ) -> anyhow::Result<Result<Value, String>> {
        let mut command = self.command(service, operation);
        command.arg("--cli-input-json").arg(input.to_string());
        answer(&mut command)
    }

    /// Uploads a file unless an object of this key is there: keys hold the hash of what they name.
    pub(super) fn upload(&self, bucket: &str, key: &str, file: &Path) -> anyhow::Result<()> {
        let object = serde_json::json!({ "Bucket": bucket, "Key": key });
        if self.ask("s3api", "head-object", &object)?.is_ok() {
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
        match answer(&mut command)? {
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

fn answer(command: &mut Command) -> anyhow::Result<Result<Value, String>> {
    let output = command.output().context("the AWS CLI cannot be started")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Ok(Err(said));
    }
    if output.stdout.iter().all(u8::is_ascii_whitespace) {
        return Ok(Ok(Value::Null));
    }
    let answer = serde_json::from_slice(&output.stdout);
    Ok(Ok(
        answer.context("the AWS CLI's answer cannot be understood")?
    ))
}
