//! The report of an import.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::journal::Contents;
use super::outcome::Outcome;
use super::outcome::Refusal;
use super::phase::skipped_reason;

/// Upper bound of the refusals that are listed.
const LISTED: usize = 1_000;

/// The results of one file.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Sent and acknowledged in this run, by type.
    pub sent: BTreeMap<String, u64>,
    /// Acknowledged in an earlier run, by type.
    pub already: BTreeMap<String, u64>,
    /// Of types that are not stored, by type.
    pub skipped: BTreeMap<String, u64>,
    /// What was refused, with the reasons.
    pub refused: Vec<Refusal>,
    /// Whether nothing was sent: what is counted as sent would be accepted.
    pub is_dry_run: bool,
    /// The number of patients that resources belong to and the file does not have; a dry run counts them.
    pub absent_patients: usize,
    /// Duration, in seconds.
    pub seconds: f64,
}

impl Report {
    pub(super) fn skipping(skipped: BTreeMap<String, u64>) -> Self {
        Self {
            skipped,
            ..Self::default()
        }
    }

    pub(super) fn of_dry_run(skipped: BTreeMap<String, u64>) -> Self {
        Self {
            is_dry_run: true,
            ..Self::skipping(skipped)
        }
    }

    /// The report of a file that an earlier run imported completely.
    pub(super) fn already(contents: Contents) -> Self {
        Self {
            already: contents.kept,
            ..Self::skipping(contents.skipped)
        }
    }

    pub(super) fn count(&mut self, outcome: Outcome) {
        let pairs = [
            (&mut self.sent, outcome.accepted),
            (&mut self.already, outcome.already),
        ];
        for (counts, others) in pairs {
            for (kind, count) in others {
                *counts.entry(kind.to_owned()).or_default() += count;
            }
        }
        self.refused.extend(outcome.refusals);
    }

    /// Names the file in what was refused.
    pub(super) fn name_file(&mut self, file: &Path) {
        let file: Arc<Path> = file.into();
        for refusal in &mut self.refused {
            refusal.file = Some(Arc::clone(&file));
        }
    }

    /// Adds the results of another file.
    pub fn add(&mut self, other: Self) {
        let pairs = [
            (&mut self.sent, other.sent),
            (&mut self.already, other.already),
            (&mut self.skipped, other.skipped),
        ];
        for (counts, others) in pairs {
            for (kind, count) in others {
                *counts.entry(kind).or_default() += count;
            }
        }
        self.refused.extend(other.refused);
        self.seconds += other.seconds;
        self.is_dry_run |= other.is_dry_run;
        self.absent_patients += other.absent_patients;
    }

    /// The number of resources that were sent and acknowledged.
    #[must_use]
    pub fn total_sent(&self) -> u64 {
        self.sent.values().sum()
    }

    /// Whether the file had nothing new.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sent.is_empty() && self.refused.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_table(f)?;
        self.write_rate(f)?;
        self.write_skipped(f)?;
        self.write_refused(f)?;
        if self.is_dry_run {
            self.write_unchecked(f)?;
        }
        Ok(())
    }
}

impl Report {
    fn write_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut refused: BTreeMap<String, u64> = BTreeMap::new();
        for refusal in &self.refused {
            *refused.entry(refusal.kind.to_owned()).or_default() += 1;
        }
        let columns = [&self.sent, &self.already, &refused, &self.skipped];
        let mut line = |name: &str, cells: [String; 4]| {
            let [sent, already, refused, skipped] = cells;
            writeln!(
                f,
                "{name:<28} {sent:>10} {already:>13} {refused:>9} {skipped:>9}"
            )
        };
        let sent = if self.is_dry_run {
            "acceptable"
        } else {
            "imported"
        };
        let titles = [sent, "there before", "refused", "skipped"];
        line("resources", titles.map(str::to_owned))?;
        let kinds: BTreeSet<&String> = columns.into_iter().flat_map(BTreeMap::keys).collect();
        for kind in kinds {
            let cell = |counts: &BTreeMap<String, u64>| {
                let count = counts.get(kind);
                count.map_or_else(|| "·".to_owned(), ToString::to_string)
            };
            line(kind, columns.map(cell))?;
        }
        let total = |counts: &BTreeMap<String, u64>| counts.values().sum::<u64>().to_string();
        line("all", columns.map(total))
    }

    fn write_rate(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_dry_run {
            return f.write_str("nothing was sent");
        }
        write!(f, "{:.1} s", self.seconds)?;
        let sent = self.total_sent();
        if sent > 0 {
            let rate =
                u32::try_from(sent).map_or(f64::INFINITY, f64::from) / self.seconds.max(0.001);
            write!(f, ", {rate:.0} resources/s")?;
        }
        Ok(())
    }

    fn write_skipped(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for name in self.skipped.keys() {
            reasons.entry(skipped_reason(name)).or_default().push(name);
        }
        for (reason, names) in reasons {
            write!(f, "\nskipped, because {reason}: {}", names.join(", "))?;
        }
        Ok(())
    }

    fn write_refused(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.refused.is_empty() {
            return Ok(());
        }
        write!(f, "\n{} refused:", self.refused.len())?;
        for refusal in self.refused.iter().take(LISTED) {
            write!(f, "\n  {refusal}")?;
        }
        if let Some(more @ 1..) = self.refused.len().checked_sub(LISTED) {
            write!(f, "\n  and {more} more")?;
        }
        if self.is_dry_run {
            return Ok(());
        }
        let is_failure = |refusal: &&Refusal| refusal.status.is_some_and(|status| status >= 500);
        let failures = self.refused.iter().filter(is_failure).count();
        if failures > 0 {
            write!(
                f,
                "\nAt {failures} of them the stack failed: `cargo stack logs app` has the cause."
            )?;
        }
        f.write_str(
            "\nThe others are stored. The same command sends only what was refused; a changed file is read again, and \
             replaces what it brings.",
        )
    }

    fn write_unchecked(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "\nNot checked, because only the stack knows it: conflicts with what is stored, conditional references and \
             creates, and what the account may write.",
        )?;
        if self.absent_patients > 0 {
            write!(
                f,
                "\n{} patients that resources belong to are not in the same file: import them too.",
                self.absent_patients
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::EntryPosition;

    #[test]
    fn a_report_counts_by_type_and_lists_what_was_refused() {
        let refusal = Refusal {
            file: Some(Path::new("a.json").into()),
            place: EntryPosition { entry: 3, byte: 99 },
            kind: "Observation",
            status: Some(500),
            reason: "the server failed".to_owned(),
        };
        let mut report = Report {
            refused: vec![refusal; LISTED + 2],
            ..Report::skipping(BTreeMap::from([("Bot".to_owned(), 4)]))
        };
        report.add(Report {
            sent: BTreeMap::from([("Patient".to_owned(), 7)]),
            ..Report::default()
        });
        let text = report.to_string();
        for part in [
            "Patient                               7             ·         ·         ·",
            "Observation                           ·             ·      1002         ·",
            "Bot                                   ·             ·         ·         4",
            "Observation in a.json, entry[3], at byte 99: 500, the server failed",
            "and 2 more",
            "skipped, because R4 has no such type: Bot",
            "cargo stack logs",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
}
