//! Where a stack goes, and what it is given on the way.

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

use super::StackName;
use super::Target;
use super::aws::Aws;
use super::change_set::ChangeSet;
use super::change_set::Parameters;
use super::change_set::Template;
use super::package;
use super::release::Release;
use super::stacks;
use crate::commands::project::Project;
use progress::Progress;

/// What a stack tells another: the other's parameter, and what it is while the one that tells is not
/// there; without a word, what the parameters' file says.
const TOLD: [Told; 7] = [
    Told::by(
        "image",
        "ArtifactBucketName",
        "main",
        "ArtifactBucketName",
        None,
    ),
    Told::by("image", "ArtifactsKeyArn", "main", "ArtifactsKeyArn", None),
    Told::by("recovery", "VaultArn", "main", "RecoveryVaultArn", None),
    Told::by(
        "recovery",
        "BackupKeyArn",
        "main",
        "RecoveryKeyArn",
        Some(""),
    ),
    Told::by("main", "VaultArn", "recovery", "PrimaryVaultArn", None),
    Told::by("main", "PhiKeyArn", "recovery", "PhiKeyArn", Some("")),
    Told::by("main", "PhiMacKeyArn", "recovery", "PhiMacKeyArn", Some("")),
];

/// An output that is a parameter elsewhere.
struct Told {
    stack: &'static str,
    output: &'static str,
    other: &'static str,
    parameter: &'static str,
    before: Option<&'static str>,
}

impl Told {
    const fn by(
        stack: &'static str,
        output: &'static str,
        other: &'static str,
        parameter: &'static str,
        before: Option<&'static str>,
    ) -> Self {
        Self {
            stack,
            output,
            other,
            parameter,
            before,
        }
    }
}

/// A stack of an environment, and the client of where it goes.
pub(super) struct Way<'a> {
    /// `infra/aws`.
    folder: &'a Path,
    pub(super) environment: &'a Environment,
    deployment: &'a Deployment,
    /// The stack's name.
    pub(super) name: String,
    pub(super) aws: Aws,
}

impl<'a> Way<'a> {
    /// Finds it, and makes sure that whoever is signed in is in the account that it belongs to.
    pub(super) fn into(
        project: &'a Project,
        target: &Target,
        progress: Progress,
    ) -> anyhow::Result<Self> {
        let environment = project.environment(&target.environment)?;
        Self::of(
            &project.folder,
            environment,
            target.stack,
            &Aws::find(progress)?,
        )
    }

    pub(super) fn of(
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
                    "parameters/{}.toml says nothing of [{template}]",
                    environment.name
                )
            })?;
        let way = Self {
            folder,
            environment,
            deployment,
            name: stack_name(environment, deployment),
            aws: aws.in_region(&deployment.region),
        };
        way.check_place()?;
        Ok(way)
    }

    pub(super) fn check_place(&self) -> anyhow::Result<()> {
        let Deployment {
            region, account, ..
        } = self.deployment;
        for variable in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
            let own = env::var(variable).unwrap_or_default();
            if !own.is_empty() && own != *region {
                bail!(
                    "{} goes to {region}, but {variable} is {own}: unset it, or look whether \
                     parameters/{}.toml is meant for here",
                    self.name,
                    self.environment.name
                );
            }
        }
        let identity = self.aws.call("sts", "get-caller-identity", &json!({}))?;
        let own = identity.get("Account").and_then(Value::as_str);
        if own != Some(account.as_str()) {
            bail!(
                "{} goes to account {account}, but you are signed in to {}: choose another profile, or \
                 write your own account into parameters/{}.toml",
                self.name,
                own.unwrap_or("none"),
                self.environment.name
            );
        }
        Ok(())
    }

    /// What this folder's programs come to as a release, uploaded. Only the main stack has one.
    pub(super) fn release(&self, progress: Progress) -> anyhow::Result<Option<Release>> {
        if self.deployment.template != "main" {
            return Ok(None);
        }
        let bucket = self.image_output("ArtifactBucketName")?;
        let architecture = self.parameter("Architecture").unwrap_or("arm64");
        let release = Release::make(self.folder, architecture, progress)?;
        release.upload(&self.aws, &bucket, progress)?;
        // What a second main would be made of must not be lost with the first region.
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
            let address = package::Package::new(&self.aws, &folder, &bucket).upload("main")?;
            step.done();
            Template::Url(address)
        } else {
            // Short enough to be sent along; of image there is no bucket yet.
            Template::Body(package::read(&folder, self.deployment.template)?)
        };
        let parameters = self.parameters(release)?;
        ChangeSet::create(&self.aws, &self.name, &template, &parameters, progress)
    }

    /// The parameters of the file, the outputs of the image stack, and the release.
    pub(super) fn parameters(&self, release: Option<&Release>) -> anyhow::Result<Parameters> {
        let mut parameters = BTreeMap::new();
        for (name, value) in &self.deployment.parameters {
            parameters.insert(name.clone(), Some(text(value)));
        }
        for told in TOLD
            .iter()
            .filter(|told| told.other == self.deployment.template)
        {
            let outputs = self.outputs_of(told.stack)?;
            let output = outputs
                .as_ref()
                .and_then(|outputs| outputs.get(told.output));
            if let Some(value) = output.map(String::as_str).or(told.before) {
                parameters.insert(told.parameter.to_owned(), Some(value.to_owned()));
            }
        }
        if self.deployment.template == "main" {
            match release {
                Some(release) => parameters.extend(release.parameters()),
                // As it is, unless there is none yet.
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
    pub(super) fn image_output(&self, name: &str) -> anyhow::Result<String> {
        let outputs = self.outputs_of("image")?.with_context(|| {
            format!(
                "there is no bucket to deploy from: run `cargo stack infra deploy --environment {} \
                 --stack image` first",
                self.environment.name
            )
        })?;
        let output = outputs.get(name);
        output
            .cloned()
            .with_context(|| format!("the image stack has no output {name}"))
    }

    /// The outputs of another stack of this environment; none if it is not there, or in an account that
    /// whoever deploys here does not see.
    pub(super) fn outputs_of(&self, template: &str) -> anyhow::Result<Option<stacks::Outputs>> {
        let mut deployments = self.environment.deployments.iter();
        let other = deployments
            .find(|other| other.template == template && other.account == self.deployment.account);
        other.map_or(Ok(None), |other| {
            let aws = self.aws.in_region(&other.region);
            stacks::outputs(&aws, &stack_name(self.environment, other))
        })
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
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
    project.unwrap_or("hipaa-stack")
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}
