//! The rules of this repository on every environment, with the unit cases of the rules.

use std::collections::BTreeMap;
use std::panic;
use std::path::Path;
use std::thread;

use anyhow::ensure;
use posture::Architecture;
use posture::Verdict;
use posture::guard;
use posture::machine;
use posture::orphans::Inventory;
use posture::quotas;
use posture::reach;

use super::cfn_guard::CfnGuard;
use super::findings::Findings;
use super::policies;
use super::project::Project;
use super::render;
use progress::Progress;

/// The verdicts on each environment.
type Verdicts = BTreeMap<String, Vec<Verdict>>;

/// Evaluates all rules, or only those of one template.
///
/// # Errors
/// When the templates cannot be assembled, a program cannot be installed, or the template has no rules.
pub(super) fn check(
    project: &Project,
    template: Option<&str>,
    progress: Progress,
) -> anyhow::Result<Findings> {
    let environments = project.architectures()?;
    let mut findings = Findings::default();
    match template {
        Some(template) => {
            let mut files: Vec<&Path> = project.guard_files.keys().map(AsRef::as_ref).collect();
            files.retain(|file| file.file_stem().is_some_and(|stem| stem == template));
            ensure!(
                !files.is_empty(),
                "there is no infra/aws/rules/{template}.guard"
            );
            let guard = CfnGuard::obtain(progress)?;
            add_verdicts(
                project,
                guard.evaluate(&files, &environments)?,
                &mut findings,
            );
            add_unit_cases(unit_cases(&guard, &files)?, &mut findings);
        }
        None => check_all(project, &environments, progress, &mut findings)?,
    }
    Ok(findings)
}

fn check_all(
    project: &Project,
    environments: &BTreeMap<String, Architecture>,
    progress: Progress,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let guard = CfnGuard::obtain(progress)?;
    let files: Vec<&Path> = project.guard_files.keys().map(AsRef::as_ref).collect();
    let step = progress.step("evaluating the rules");
    // Side by side, because each takes seconds in another process.
    let (cases, simulated, guarded) = thread::scope(|scope| {
        let cases = scope.spawn(|| unit_cases(&guard, &files));
        let policies = || policies::evaluate(&project.policy_expectations, environments, progress);
        let simulated = scope.spawn(policies);
        let guarded = guard.evaluate(&files, environments);
        (cases.join(), simulated.join(), guarded)
    });
    let cases = cases.unwrap_or_else(|panic| panic::resume_unwind(panic))?;
    let simulated = simulated.unwrap_or_else(|panic| panic::resume_unwind(panic))?;
    step.done();
    add_verdicts(project, guarded?, findings);
    add_verdicts(project, simulated, findings);
    let computed = environments.iter();
    let computed: Verdicts = computed
        .map(|(name, architecture)| (name.clone(), reach::evaluate(architecture)))
        .collect();
    add_verdicts(project, computed, findings);
    let units = ("units".to_owned(), machine::evaluate(&project.units));
    add_verdicts(project, BTreeMap::from([units]), findings);
    add_unit_cases(cases, findings);
    for (name, architecture) in environments {
        let exceeded = quotas::exceeded(&project.templates, architecture).into_iter();
        let exceeded = exceeded.map(|message| format!("{name}: {message}"));
        findings.faults.extend(exceeded);
    }
    findings.faults.extend(orphans(project)?);
    findings.faults.extend(render::outdated(project)?);
    Ok(())
}

/// A message for each rule file whose unit cases fail; none for the others.
fn unit_cases(guard: &CfnGuard, files: &[&Path]) -> anyhow::Result<Vec<Option<String>>> {
    files.iter().map(|file| guard.unit_cases(file)).collect()
}

fn add_unit_cases(cases: Vec<Option<String>>, findings: &mut Findings) {
    for failure in cases {
        match failure {
            Some(message) => findings.faults.push(message),
            None => findings.passed += 1,
        }
    }
}

/// Adds verdicts. A rule must hold in every environment in which one of its controls does.
fn add_verdicts(project: &Project, verdicts: Verdicts, findings: &mut Findings) {
    for (environment, verdicts) in verdicts {
        for verdict in verdicts {
            if verdict.passed {
                findings.passed += 1;
            } else if is_required(project, &verdict.rule, &environment) {
                findings.faults.push(format!(
                    "{environment}: {} {}",
                    verdict.rule, verdict.message
                ));
            }
        }
    }
}

/// Whether a rule must hold: it has no control, or one of its controls holds in the environment.
fn is_required(project: &Project, rule: &str, environment: &str) -> bool {
    let controls = project.register.controls.iter();
    let mut controls = controls.filter(|control| control.rule == rule).peekable();
    controls.peek().is_none() || controls.any(|control| control.holds_in(environment))
}

fn orphans(project: &Project) -> anyhow::Result<Vec<String>> {
    let cases = guard::unit_cases(&project.folder.join("rules"))?;
    Ok(project.register.orphans(Inventory {
        templates: &project.templates,
        folder: &project.folder,
        rules: &project.rules(),
        cases: &cases,
    }))
}
