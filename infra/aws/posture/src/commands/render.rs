//! The pages that are made from the templates.

use std::fs;

use anyhow::Context;

use super::project::Project;

/// Each page, by the name of its file. The picture is production's.
fn pages(project: &Project) -> anyhow::Result<[(&'static str, String); 2]> {
    let production = project.architecture("prod")?;
    Ok([
        ("CONTROLS.md", posture::page(&project.register)),
        ("reachability.svg", posture::reach::draw(&production)),
    ])
}

/// Writes them.
pub(super) fn write(project: &Project) -> anyhow::Result<()> {
    for (name, text) in pages(project)? {
        let path = project.folder.join(name);
        fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}

/// Those that are not what they would be if they were written now.
pub(super) fn stale(project: &Project) -> anyhow::Result<Vec<String>> {
    let mut stale = Vec::new();
    for (name, text) in pages(project)? {
        if fs::read_to_string(project.folder.join(name)).unwrap_or_default() != text {
            stale.push(format!(
                "{name} is not current: run `cargo stack infra render`"
            ));
        }
    }
    Ok(stale)
}
