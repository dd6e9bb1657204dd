//! The reader's map: the register as a page.

use std::fmt::Write as _;

use crate::controls::Control;
use crate::controls::Register;
use crate::controls::Sentence;

/// The register in Markdown: each sentence with the controls that keep it.
#[must_use]
pub fn page(register: &Register) -> String {
    let mut page = format!(
        "# Controls\n\nWhat has to be true of the architecture, what makes it true, and the rule that notices if it is not. {} sentences, {} controls, {} single faults of which each is noticed by the rule that stands beside it. Made from `controls/` by `cargo stack infra render`.\n",
        register.sentences.len(),
        register.controls.len(),
        register
            .controls
            .iter()
            .map(|control| control.mutants.len())
            .sum::<usize>(),
    );
    for sentence in &register.sentences {
        // Writing to a String cannot fail.
        let _ = section(&mut page, sentence, register);
    }
    page
}

fn section(page: &mut String, sentence: &Sentence, register: &Register) -> std::fmt::Result {
    let source = if sentence.source.is_empty() {
        String::new()
    } else {
        format!(" ({})", sentence.source)
    };
    write!(
        page,
        "\n## {}{source}\n\n{}\n\n",
        sentence.id, sentence.text
    )?;
    writeln!(page, "| control | 45 CFR | what | rule | faults |")?;
    writeln!(page, "|---|---|---|---|---|")?;
    let keeps = |control: &&Control| control.sentence.all().contains(&sentence.id);
    for control in register.controls.iter().filter(keeps) {
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
