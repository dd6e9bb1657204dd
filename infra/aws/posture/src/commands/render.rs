//! The files that are generated from templates and controls.

use std::fs;

use anyhow::Context;

use super::project::Project;

/// The generated files: name and content. The diagram shows production.
fn files(project: &Project) -> anyhow::Result<[(&'static str, String); 2]> {
    let production = project.architecture("prod")?;
    Ok([
        ("CONTROLS.md", posture::controls_page(&project.register)),
        ("reachability.svg", posture::reach::draw(&production)),
    ])
}

/// Writes the generated files.
pub(super) fn write(project: &Project) -> anyhow::Result<()> {
    for (name, text) in files(project)? {
        let path = project.folder.join(name);
        fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}

/// A message for each generated file that is out of date.
pub(super) fn outdated(project: &Project) -> anyhow::Result<Vec<String>> {
    let mut outdated = Vec::new();
    for (name, text) in files(project)? {
        if fs::read_to_string(project.folder.join(name)).unwrap_or_default() != text {
            outdated.push(format!(
                "{name} is out of date: run `cargo stack infra render`"
            ));
        }
    }
    Ok(outdated)
}
