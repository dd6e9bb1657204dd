//! The deployment of a stack: its account, region, parameters and release.

use std::collections::BTreeMap;
use std::env;
use std::path::Path;

use anyhow::Context;
use anyhow::bail;
use posture::Deployment;
use posture::Environment;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::aws::Aws;
use super::change_set::ChangeSet;
use super::change_set::Parameters;
use super::change_set::Template;
use super::release::Release;
use super::stacks;
use super::target::StackName;
use super::target::Target;
use super::template_upload;
use crate::commands::project::Project;
use progress::Progress;

/// Outputs of one stack that are parameters of another.
const BINDINGS: [OutputBinding; 7] = [
    OutputBinding::new(
        "image",
        "ArtifactBucketName",
        "main",
        "ArtifactBucketName",
        None,
    ),
    OutputBinding::new("image", "ArtifactsKeyArn", "main", "ArtifactsKeyArn", None),
    OutputBinding::new("recovery", "VaultArn", "main", "RecoveryVaultArn", None),
    OutputBinding::new(
        "recovery",
        "BackupKeyArn",
        "main",
        "RecoveryKeyArn",
        Some(""),
    ),
    OutputBinding::new("main", "VaultArn", "recovery", "PrimaryVaultArn", None),
    OutputBinding::new("main", "PhiKeyArn", "recovery", "PhiKeyArn", Some("")),
    OutputBinding::new("main", "PhiMacKeyArn", "recovery", "PhiMacKeyArn", Some("")),
];

/// An output of a stack that is a parameter of another.
struct OutputBinding {
    source: &'static str,
    output: &'static str,
    target: &'static str,
    parameter: &'static str,
    /// The value before the source is deployed; none for the value in the parameters file.
    default: Option<&'static str>,
}

impl OutputBinding {
    const fn new(
        source: &'static str,
        output: &'static str,
        target: &'static str,
        parameter: &'static str,
        default: Option<&'static str>,
    ) -> Self {
        Self {
            source,
            output,
            target,
            parameter,
            default,
        }
    }
}

/// A stack of an environment, with the AWS CLI for its region.
pub(super) struct StackDeployment<'a> {
    /// `infra/aws`.
    folder: &'a Path,
    pub(super) environment: &'a Environment,
    deployment: &'a Deployment,
    /// The stack's name.
    pub(super) name: String,
    pub(super) aws: Aws,
}

impl<'a> StackDeployment<'a> {
    /// The deployment of a target, after a check of the account and the region.
    ///
    /// # Errors
    /// When the credentials are for another account, or a variable names another region.
    pub(super) fn new(
        project: &'a Project,
        target: &Target,
        progress: Progress,
    ) -> anyhow::Result<Self> {
        let environment = project.environment(target.environment())?;
        Self::with_cli(
            &project.folder,
            environment,
            target.stack(),
            &Aws::find(progress)?,
        )
    }

    pub(super) fn with_cli(
        folder: &'a Path,
        environment: &'a Environment,
        stack: StackName,
        aws: &Aws,
    ) -> anyhow::Result<Self> {
        let template = stack.template();
        let mut deployments = environment.deployments.iter();
        let deployment = deployments
            .find(|deployment| deployment.template == template)
            .with_context(|| {
                format!(
                    "parameters/{}.toml has no table [{template}]",
                    environment.name
                )
            })?;
        let deployment = Self {
            folder,
            environment,
            deployment,
            name: stack_name(environment, deployment),
            aws: aws.in_region(&deployment.region),
        };
        deployment.check_account_and_region()?;
        Ok(deployment)
    }

    fn check_account_and_region(&self) -> anyhow::Result<()> {
        let Deployment {
            region, account, ..
        } = self.deployment;
        for variable in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
            let own = env::var(variable).unwrap_or_default();
            if !own.is_empty() && own != *region {
                bail!(
                    "{} belongs to {region}, but {variable} is {own}: unset the variable, or correct \
                     parameters/{}.toml",
                    self.name,
                    self.environment.name
                );
            }
        }
        let identity = self.aws.call("sts", "get-caller-identity", &json!({}))?;
        let own = identity.get("Account").and_then(Value::as_str);
        if own != Some(account.as_str()) {
            bail!(
                "{} belongs to account {account}, but you are signed in to {}: choose another profile, or \
                 write your account into parameters/{}.toml",
                self.name,
                own.unwrap_or("none"),
                self.environment.name
            );
        }
        Ok(())
    }

    /// Builds and uploads a release; none for stacks other than main.
    pub(super) fn release(&self, progress: Progress) -> anyhow::Result<Option<Release>> {
        if self.deployment.template != "main" {
            return Ok(None);
        }
        let bucket = self.image_output("ArtifactBucketName")?;
        let architecture = self.parameter("Architecture").unwrap_or("arm64");
        let release = Release::build(self.folder, architecture, progress)?;
        release.upload(&self.aws, &bucket, progress)?;
        // A deployment in the recovery region must be possible without the first region.
        let recovery = self.outputs_of("recovery")?.unwrap_or_default();
        let copies = recovery.get("ReleaseBucketArn");
        if let Some(bucket) = copies.and_then(|arn| arn.strip_prefix("arn:aws:s3:::")) {
            let mut deployments = self.environment.deployments.iter();
            let recovery = deployments.find(|other| other.template == "recovery");
            let region = recovery.map_or(&self.deployment.region, |recovery| &recovery.region);
            release.upload(&self.aws.in_region(region), bucket, progress)?;
        }
        Ok(Some(release))
    }

    pub(super) fn change_set(
        &self,
        release: Option<&Release>,
        progress: Progress,
    ) -> anyhow::Result<Option<ChangeSet>> {
        let folder = self.folder.join("templates");
        let template = if self.deployment.template == "main" {
            let bucket = self.image_output("ArtifactBucketName")?;
            let step = progress.step("uploading the templates");
            let url =
                template_upload::TemplateUpload::new(&self.aws, &folder, &bucket).upload("main")?;
            step.done();
            Template::Url(url)
        } else {
            // These are short enough for the request, and before the image stack there is no bucket.
            Template::Body(template_upload::read(&folder, self.deployment.template)?)
        };
        let parameters = self.parameters(release)?;
        ChangeSet::create(&self.aws, &self.name, &template, &parameters, progress)
    }

    /// The parameters of the file, of bindings to other stacks, and of the release.
    fn parameters(&self, release: Option<&Release>) -> anyhow::Result<Parameters> {
        let mut parameters = BTreeMap::new();
        for (name, value) in &self.deployment.parameters {
            parameters.insert(name.clone(), Some(text(value)));
        }
        for binding in BINDINGS
            .iter()
            .filter(|binding| binding.target == self.deployment.template)
        {
            let outputs = self.outputs_of(binding.source)?;
            let output = outputs
                .as_ref()
                .and_then(|outputs| outputs.get(binding.output));
            if let Some(value) = output.map(String::as_str).or(binding.default) {
                parameters.insert(binding.parameter.to_owned(), Some(value.to_owned()));
            }
        }
        if self.deployment.template == "main" {
            match release {
                Some(release) => parameters.extend(release.parameters()),
                // An existing stack keeps its release.
                None if stacks::outputs(&self.aws, &self.name)?.is_some() => {
                    let names = Release::PARAMETERS.map(|name| (name.to_owned(), None));
                    parameters.extend(names);
                }
                None => {}
            }
        }
        Ok(parameters)
    }

    /// An output of the image stack.
    fn image_output(&self, name: &str) -> anyhow::Result<String> {
        let outputs = self.outputs_of("image")?.with_context(|| {
            format!(
                "there is no bucket for templates and releases: run `cargo stack infra deploy --environment {} \
                 --stack image` first",
                self.environment.name
            )
        })?;
        let output = outputs.get(name);
        output
            .cloned()
            .with_context(|| format!("the image stack has no output {name}"))
    }

    /// The outputs of another stack of this environment; none if the stack does not exist or is in another account.
    fn outputs_of(&self, template: &str) -> anyhow::Result<Option<stacks::Outputs>> {
        let mut deployments = self.environment.deployments.iter();
        let other = deployments
            .find(|other| other.template == template && other.account == self.deployment.account);
        other.map_or(Ok(None), |other| {
            let aws = self.aws.in_region(&other.region);
            stacks::outputs(&aws, &stack_name(self.environment, other))
        })
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.deployment.parameters.get(name).and_then(Value::as_str)
    }

    pub(super) fn migration_log(&self) -> String {
        let project = project_name(&self.deployment.parameters);
        format!("/{project}/{}/migration", self.environment.name)
    }
}

fn stack_name(environment: &Environment, deployment: &Deployment) -> String {
    let project = project_name(&deployment.parameters);
    format!("{project}-{}-{}", environment.name, deployment.template)
}

fn project_name(parameters: &Map<String, Value>) -> &str {
    let project = parameters.get("Project").and_then(Value::as_str);
    project.unwrap_or(product::NAME)
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}
