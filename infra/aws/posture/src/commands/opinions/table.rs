//! The comparison as a page.

use std::fmt;

use super::mutants::Noticed;
use tools::Judge;

impl fmt::Display for Noticed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.by_mutant.len();
        writeln!(f, "# The same faults, shown to others\n")?;
        writeln!(
            f,
            "{all} single faults of the templates, each of which is noticed by the rule of ours that its control names (`cargo stack infra mutate`). A public rule set notices one if it says something that it does not say without the fault. Made by `cargo stack infra compare`.\n"
        )?;
        writeln!(f, "| | notices |\n|---|---:|")?;
        for judge in &self.judges {
            writeln!(f, "| {judge} | {} |", self.count(*judge))?;
        }
        let some = self.by_mutant.values().filter(|by| !by.is_empty()).count();
        writeln!(f, "| all of these together | {some} |\n| ours | {all} |\n")?;
        let judges = self.judges.iter().map(ToString::to_string);
        let judges: Vec<String> = judges.collect();
        writeln!(f, "| fault | {} |", judges.join(" | "))?;
        writeln!(f, "|---|{}", "---|".repeat(judges.len()))?;
        for (mutant, by) in &self.by_mutant {
            let said = self.judges.iter().map(|judge| {
                let rules = by.get(judge).into_iter().flatten().cloned();
                rules.collect::<Vec<String>>().join(", ")
            });
            writeln!(
                f,
                "| {mutant} | {} |",
                said.collect::<Vec<String>>().join(" | ")
            )?;
        }
        Ok(())
    }
}

impl Noticed {
    fn count(&self, judge: Judge) -> usize {
        self.by_mutant
            .values()
            .filter(|by| by.contains_key(&judge))
            .count()
    }
}
