//! Everything about the templates that needs no account.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::panic;
use std::path::Path;
use std::thread;

use anyhow::ensure;
use posture::Architecture;
use posture::machine;
use posture::orphans::Surroundings;
use posture::quotas;
use posture::reach;
use posture::rules;

use super::cfn_guard::Guard;
use super::findings::Findings;
use super::policies;
use super::project::ENVIRONMENTS;
use super::project::Project;
use super::render;
use progress::Progress;

/// Checks all of it, or only the rules of one file.
pub(super) fn check(
    project: &Project,
    area: Option<&str>,
    progress: Progress,
) -> anyhow::Result<Findings> {
    let guard = Guard::obtain(progress)?;
    let mut found = Findings::default();
    let mut documents = BTreeMap::new();
    for environment in ENVIRONMENTS {
        documents.insert(environment.to_owned(), project.architecture(environment)?);
    }
    let files = project.guard_files.keys().map(AsRef::as_ref);
    let is_asked =
        |file: &&Path| area.is_none_or(|area| file.file_stem().is_some_and(|stem| stem == area));
    let files: Vec<&Path> = files.filter(is_asked).collect();
    ensure!(
        !files.is_empty(),
        "there is no infra/aws/rules/{}.guard",
        area.unwrap_or("*")
    );
    let Asked {
        mut verdicts,
        cases,
    } = ask(
        project,
        &guard,
        &files,
        &documents,
        area.is_none(),
        progress,
    )?;
    for (environment, architecture) in &documents {
        let own = area.is_none().then(|| reach::judge(architecture));
        let said = verdicts.entry(environment.clone()).or_default();
        said.extend(own.into_iter().flatten());
        weigh(project, environment, said, &mut found);
        let large = quotas::exceeded(&project.templates, architecture);
        found.faults.extend(
            large
                .into_iter()
                .map(|what| format!("{environment}: {what}")),
        );
    }
    if area.is_none() {
        weigh(
            project,
            "every machine",
            &machine::judge(&project.machine),
            &mut found,
        );
    }
    for case in cases {
        match case {
            Some(said) => found.faults.push(said),
            None => found.passed += 1,
        }
    }
    if area.is_none() {
        found.faults.extend(orphans(project)?);
        found.faults.extend(render::stale(project)?);
    }
    Ok(found)
}

/// What other programs answered.
struct Asked {
    /// By the environment.
    verdicts: BTreeMap<String, Vec<rules::Verdict>>,
    /// For each file of rules: what its unit cases say, if not what they should.
    cases: Vec<Option<String>>,
}

/// Asks them side by side: each takes seconds.
fn ask(
    project: &Project,
    guard: &Guard,
    files: &[&Path],
    documents: &BTreeMap<String, Architecture>,
    policies_too: bool,
    progress: Progress,
) -> anyhow::Result<Asked> {
    let unit_cases = || files.iter().map(|file| guard.unit_cases(file)).collect();
    let policies = || {
        if policies_too {
            policies::judge(&project.catalogue, documents, progress)
        } else {
            Ok(BTreeMap::new())
        }
    };
    let (cases, simulated, verdicts) = thread::scope(|scope| {
        let cases = scope.spawn(unit_cases);
        let simulated = scope.spawn(policies);
        let verdicts = guard.judge(files.iter().copied(), documents);
        (cases.join(), simulated.join(), verdicts)
    });
    let cases: anyhow::Result<Vec<_>> = cases.unwrap_or_else(|panic| panic::resume_unwind(panic));
    let simulated = simulated.unwrap_or_else(|panic| panic::resume_unwind(panic))?;
    let mut verdicts = verdicts?;
    for (environment, said) in simulated {
        verdicts.entry(environment).or_default().extend(said);
    }
    Ok(Asked {
        verdicts,
        cases: cases?,
    })
}

/// Every rule has to hold wherever a control asks for it.
fn weigh(project: &Project, environment: &str, said: &[rules::Verdict], found: &mut Findings) {
    let excused = |rule: &str| {
        let mut controls = project
            .register
            .controls
            .iter()
            .filter(|one| one.rule == rule)
            .peekable();
        controls.peek().is_some() && controls.all(|control| !control.holds_in(environment))
    };
    for verdict in said {
        if verdict.passed {
            found.passed += 1;
        } else if !excused(&verdict.rule) {
            found.faults.push(format!(
                "{environment}: {} {}",
                verdict.rule, verdict.message
            ));
        }
    }
}

fn orphans(project: &Project) -> anyhow::Result<Vec<String>> {
    let rules: BTreeSet<String> = project.rules();
    let cases = rules::cases(&project.folder.join("rules"))?;
    Ok(project.register.orphans(Surroundings {
        templates: &project.templates,
        folder: &project.folder,
        rules: &rules,
        cases: &cases,
    }))
}
