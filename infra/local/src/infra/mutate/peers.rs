//! What the public rule sets notice of the same faults.

use std::collections::BTreeMap;

use anyhow::Context;

use super::Fault;
use super::batches;
use crate::infra::opinions;
use crate::infra::opinions::Mutated;
use crate::infra::opinions::Noticed;
use crate::infra::project::ENVIRONMENTS;
use crate::infra::project::Project;
use crate::progress::Progress;
use crate::tools::Judge;

/// Makes the faults of templates, those of `only` or all, perhaps the first of each control alone, and
/// asks the public rule sets about each.
/// Faults of what runs on the machines are not theirs to see.
pub(in crate::infra) fn compare(
    project: &Project,
    only: &[String],
    first: bool,
    progress: Progress,
) -> anyhow::Result<Noticed> {
    let mut unmutated = BTreeMap::new();
    for name in ENVIRONMENTS {
        unmutated.insert(name.to_owned(), project.architecture(name)?);
    }
    let faults = batches(project, only)
        .into_iter()
        .flat_map(|(_, faults)| faults);
    let asked = faults.filter(|fault| {
        let resource = fault.mutant.resource.as_ref();
        let resource = resource.unwrap_or(&fault.control.resource);
        !resource.starts_with("machine/") && (!first || fault.number == 1)
    });
    // What cannot be made is the study's business, which names it.
    let mutants = asked.filter_map(|fault| mutated(project, &fault).ok());
    opinions::noticed(mutants, &unmutated, &Judge::compared(), progress)
}

fn mutated(project: &Project, fault: &Fault<'_>) -> anyhow::Result<Mutated> {
    let name = fault.name();
    let architecture = fault.architecture(project);
    Ok(Mutated {
        architecture: architecture.with_context(|| format!("{name} cannot be made"))?,
        environment: fault.environment()?.to_owned(),
        name,
    })
}
