//! Measured numbers, each beside a peer's, as a table.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use super::closed_loop::Load;
use super::plot;

/// One measured number beside its peer.
#[derive(Clone, Debug, Serialize)]
struct Figure {
    benchmark: String,
    what: String,
    value: f64,
    unit: &'static str,
    peer: String,
    /// None if the peer was not measured; then its name says why.
    peer_value: Option<f64>,
}

/// All figures of a run.
#[derive(Debug, Default)]
pub(super) struct Figures {
    benchmark: String,
    rows: Vec<Figure>,
    loads: Vec<Load>,
}

impl Figures {
    /// Names the benchmark of the numbers that follow.
    pub(super) fn begin(&mut self, benchmark: &str) {
        benchmark.clone_into(&mut self.benchmark);
    }

    /// Adds a number with the peer's.
    pub(super) fn add(&mut self, what: &str, value: f64, unit: &'static str, peer: (&str, f64)) {
        self.add_beside(what, value, unit, (peer.0, Some(peer.1)));
    }

    /// Adds a number with the peer's, if it was measured.
    pub(super) fn add_beside(
        &mut self,
        what: &str,
        value: f64,
        unit: &'static str,
        peer: (&str, Option<f64>),
    ) {
        let (peer, peer_value) = (peer.0.to_owned(), peer.1);
        self.rows.push(Figure {
            benchmark: self.benchmark.clone(),
            what: what.to_owned(),
            value,
            unit,
            peer,
            peer_value,
        });
    }

    /// Keeps a load's latencies for the plots.
    pub(super) fn keep(&mut self, load: Load) {
        self.loads.push(load);
    }

    /// The table, in Markdown.
    pub(super) fn table(&self) -> String {
        let mut text =
            String::from("| what | measured | peer | peer's | ratio |\n|---|---:|---|---:|---:|\n");
        for row in &self.rows {
            let ratio = row.peer_value.map(|peer| row.value / peer);
            let shown = |value: Option<f64>| value.map_or("–".to_owned(), short);
            let _ = writeln!(
                text,
                "| {} | {} {} | {} | {} | {} |",
                row.what,
                short(row.value),
                row.unit,
                row.peer,
                shown(row.peer_value),
                shown(ratio)
            );
        }
        text
    }

    /// Writes table, numbers and plots.
    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        fs::write(folder.join("results.md"), self.table()).context("results.md")?;
        let json = serde_json::to_vec_pretty(&self.rows).context("results.json")?;
        fs::write(folder.join("results.json"), json).context("results.json")?;
        if self.loads.is_empty() {
            return Ok(());
        }
        plot::latencies(&self.loads, &folder.join("latency.svg"))?;
        plot::rates(&self.loads, &folder.join("reads.svg"))
    }
}

/// The middle one, or between the two middle ones.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let upper = sorted.get(sorted.len() / 2)?;
    let lower = sorted.get((sorted.len() - 1) / 2)?;
    Some(f64::midpoint(*lower, *upper))
}

/// Three digits that matter.
pub(super) fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 100.0]), Some(3.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 100.0]), Some(3.0));
    }

    #[test]
    fn a_row_has_its_ratio_to_the_peer() {
        let mut figures = Figures::default();
        figures.add("reads", 500.0, "/s", ("nothing at all", 2000.0));
        let table = figures.table();
        assert!(
            table.contains("| reads | 500 /s | nothing at all | 2000 | 0.25 |"),
            "{table}"
        );
        figures.add_beside("reads", 500.0, "/s", ("not installed", None));
        let table = figures.table();
        assert!(
            table.contains("| reads | 500 /s | not installed | – | – |"),
            "{table}"
        );
    }
}
