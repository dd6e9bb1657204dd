//! The report of an import.

use std::collections::BTreeMap;
use std::fmt;

use super::journal::Contents;
use super::outcome::Outcome;
use super::outcome::Refusal;

/// The results of one file.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Sent and acknowledged in this run, by type.
    pub sent: BTreeMap<String, u64>,
    /// Acknowledged in an earlier run, by type.
    pub already: BTreeMap<String, u64>,
    /// Of types that are not stored, by type.
    pub skipped: BTreeMap<String, u64>,
    /// What the server refused, with its reasons.
    pub refused: Vec<Refusal>,
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

    /// The report of a file that an earlier run imported completely.
    pub(super) fn already(contents: Contents) -> Self {
        Self {
            already: contents.kept,
            ..Self::skipping(contents.skipped)
        }
    }

    pub(super) fn count(&mut self, outcome: Outcome) {
        let counts = if outcome.already {
            &mut self.already
        } else {
            &mut self.sent
        };
        for (kind, count) in outcome.accepted {
            *counts.entry(kind.to_owned()).or_default() += count;
        }
        self.refused.extend(outcome.refusals);
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
        writeln!(
            f,
            "{:<24} {:>10} {:>13} {:>9}",
            "resources", "imported", "there before", "skipped"
        )?;
        let mut kinds: Vec<&String> = self
            .sent
            .keys()
            .chain(self.already.keys())
            .chain(self.skipped.keys())
            .collect();
        kinds.sort_unstable();
        kinds.dedup();
        let cell = |counts: &BTreeMap<String, u64>, kind: &String| {
            counts
                .get(kind)
                .map_or_else(|| "·".to_owned(), ToString::to_string)
        };
        for kind in kinds {
            let (sent, already) = (cell(&self.sent, kind), cell(&self.already, kind));
            writeln!(
                f,
                "{kind:<24} {sent:>10} {already:>13} {:>9}",
                cell(&self.skipped, kind)
            )?;
        }
        let (sent, already) = (self.total_sent(), self.already.values().sum::<u64>());
        let skipped: u64 = self.skipped.values().sum();
        writeln!(f, "{:<24} {sent:>10} {already:>13} {skipped:>9}", "all")?;
        write!(f, "{:.1} s", self.seconds)?;
        if sent > 0 {
            let rate =
                u32::try_from(sent).map_or(f64::INFINITY, f64::from) / self.seconds.max(0.001);
            write!(f, ", {rate:.0} resources/s")?;
        }
        if !self.refused.is_empty() {
            write!(f, "\n{} refused:", self.refused.len())?;
        }
        for refusal in &self.refused {
            write!(
                f,
                "\n  {} {}: {}",
                refusal.kind, refusal.place, refusal.reason
            )?;
        }
        Ok(())
    }
}
