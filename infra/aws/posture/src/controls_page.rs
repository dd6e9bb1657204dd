//! `CONTROLS.md`: the register as a page.

use std::fmt::Write as _;

use crate::controls::Control;
use crate::controls::Register;
use crate::controls::Requirement;

/// The register in Markdown: each requirement with the controls that meet it.
#[must_use]
pub fn controls_page(register: &Register) -> String {
    let mut page = format!(
        "# Controls\n\nThe requirements on the architecture, the controls that meet each, and the rule that checks each control. {} requirements, {} controls and {} single faults, each of which is detected by the rule of its control. Generated from `controls/` by `cargo stack infra render`.\n",
        register.requirements.len(),
        register.controls.len(),
        register
            .controls
            .iter()
            .map(|control| control.mutants.len())
            .sum::<usize>(),
    );
    for requirement in &register.requirements {
        // Writing to a String cannot fail.
        let _ = section(&mut page, requirement, register);
    }
    page
}

fn section(page: &mut String, requirement: &Requirement, register: &Register) -> std::fmt::Result {
    let source = if requirement.source.is_empty() {
        String::new()
    } else {
        format!(" ({})", requirement.source)
    };
    write!(
        page,
        "\n## {}{source}\n\n{}\n\n",
        requirement.id, requirement.text
    )?;
    writeln!(page, "| control | 45 CFR | property | rule | faults |")?;
    writeln!(page, "|---|---|---|---|---|")?;
    let meets = |control: &&Control| control.requirement.all().contains(&requirement.id);
    for control in register.controls.iter().filter(meets) {
        writeln!(page, "{}", row(control))?;
    }
    Ok(())
}

fn row(control: &Control) -> String {
    let mut what = format!("`{}`", control.resource);
    if !control.property.is_empty() {
        let _ = write!(what, " `{}`", control.property);
    }
    if !control.environments.is_empty() {
        let _ = write!(
            what,
            " ({} only: {})",
            control.environments.join(", "),
            control.reason
        );
    }
    let what = what.replace('|', "\\|");
    format!(
        "| {} | {} | {what} | `{}` | {} |",
        control.id,
        control.cfr.join(", "),
        control.rule,
        control.mutants.len()
    )
}
