//! The samples by proxy and figure, their medians, and the goals.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::Context;
use load::Group;
use load::Protocol;
use serde_json::Value;
use serde_json::json;

use super::Options;
use super::plot;
use super::running::Running;
use super::site::Proxy;
use crate::figures::median;
use crate::figures::short;

/// A measured quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Figure {
    /// Requests per second.
    Rate(Protocol),
    /// CPU time per request.
    Cpu(Protocol),
    /// Percentage of its core that the proxy had.
    Busy(Protocol),
    /// CPU time per new connection.
    Handshake(Group),
    /// The median latency at a high rate (`true`) or a low one.
    Median(Protocol, bool),
    /// The 99th percentile of latency.
    Tail(Protocol, bool),
    /// Resident before any load.
    MemoryIdle,
    /// The peak of resident memory.
    MemoryPeak,
}

impl Figure {
    /// Every figure, in the order of the table.
    const ALL: [Self; 18] = [
        Self::Rate(Protocol::Http1),
        Self::Rate(Protocol::Http2),
        Self::Cpu(Protocol::Http1),
        Self::Cpu(Protocol::Http2),
        Self::Busy(Protocol::Http1),
        Self::Busy(Protocol::Http2),
        Self::Handshake(Group::X25519),
        Self::Handshake(Group::MlKem),
        Self::Median(Protocol::Http1, false),
        Self::Tail(Protocol::Http1, false),
        Self::Median(Protocol::Http2, false),
        Self::Tail(Protocol::Http2, false),
        Self::Median(Protocol::Http1, true),
        Self::Tail(Protocol::Http1, true),
        Self::Median(Protocol::Http2, true),
        Self::Tail(Protocol::Http2, true),
        Self::MemoryIdle,
        Self::MemoryPeak,
    ];

    /// Its name in file names.
    fn key(self) -> String {
        let load = |high| if high { "high" } else { "low" };
        match self {
            Self::Rate(protocol) => format!("{}-rate", protocol.name()),
            Self::Cpu(protocol) => format!("{}-cpu", protocol.name()),
            Self::Busy(protocol) => format!("{}-busy", protocol.name()),
            Self::Handshake(Group::X25519) => "handshake".to_owned(),
            Self::Handshake(Group::MlKem) => "handshake-mlkem".to_owned(),
            Self::Median(protocol, high) => format!("{}-p50-{}", protocol.name(), load(high)),
            Self::Tail(protocol, high) => format!("{}-p99-{}", protocol.name(), load(high)),
            Self::MemoryIdle => "memory-idle".to_owned(),
            Self::MemoryPeak => "memory-peak".to_owned(),
        }
    }

    fn more_is_better(self) -> bool {
        matches!(self, Self::Rate(_))
    }

    fn unit(self) -> &'static str {
        match self {
            Self::Rate(_) => "/s",
            Self::Cpu(_) | Self::Handshake(_) => "µs",
            Self::Busy(_) => "%",
            Self::Median(..) | Self::Tail(..) => "ms",
            Self::MemoryIdle | Self::MemoryPeak => "MiB",
        }
    }
}

/// A column of the table.
#[derive(Clone, Debug)]
struct Column {
    name: &'static str,
    title: String,
}

/// All samples of a run.
pub(super) struct Results {
    columns: Vec<Column>,
    missing: Vec<String>,
    method: String,
    rates: Vec<(Protocol, bool, f64)>,
    samples: BTreeMap<(String, &'static str), Vec<f64>>,
}

impl Results {
    pub(super) fn new<'a>(
        proxies: impl Iterator<Item = &'a Proxy>,
        missing: Vec<String>,
        options: &Options,
    ) -> Self {
        let columns = proxies.map(|proxy| Column {
            name: proxy.name,
            title: proxy.title.clone(),
        });
        let method = format!(
            "One worker on one core, load and origin on another; mutual TLS upstream, 1 KiB \
             responses, access log on. Medians of {} interleaved rounds of {} s.",
            options.rounds, options.seconds
        );
        Self {
            columns: columns.collect(),
            missing,
            method,
            rates: Vec::new(),
            samples: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, one: &Running, figure: Figure, value: f64) {
        let samples = self.samples.entry((figure.key(), one.proxy.name));
        samples.or_default().push(value);
    }

    /// Records the rate at which latency was measured.
    pub(super) fn note_rate(&mut self, protocol: Protocol, high: bool, rate: f64) {
        self.rates.push((protocol, high, rate));
    }

    pub(super) fn median(&self, proxy: &Proxy, figure: Figure) -> Option<f64> {
        self.median_of(proxy.name, figure)
    }

    fn samples(&self, name: &'static str, figure: Figure) -> &[f64] {
        let found = self.samples.get(&(figure.key(), name));
        found.map_or(&[], Vec::as_slice)
    }

    fn median_of(&self, name: &'static str, figure: Figure) -> Option<f64> {
        median(self.samples(name, figure))
    }

    /// The median of the rounds' ratios of web to a peer.
    fn ratio(&self, figure: Figure, peer: &'static str) -> Option<f64> {
        let ours = self.samples("web", figure).iter();
        let ratios: Vec<f64> = ours
            .zip(self.samples(peer, figure))
            .map(|(ours, peers)| ours / peers)
            .collect();
        median(&ratios)
    }

    /// The title of a figure.
    fn title(&self, figure: Figure) -> String {
        let at = |protocol, high| {
            let rate = self
                .rates
                .iter()
                .find(|it| (it.0, it.1) == (protocol, high));
            rate.map_or_else(String::new, |it| format!(" at {:.0}/s", it.2))
        };
        match figure {
            Figure::Rate(protocol) => format!("requests, {}", protocol.title()),
            Figure::Cpu(protocol) => format!("CPU per request, {}", protocol.title()),
            Figure::Busy(protocol) => format!("of its core in use, {}", protocol.title()),
            Figure::Handshake(group) => format!("CPU per full handshake, {}", group.title()),
            Figure::Median(protocol, high) => {
                format!("p50, {}{}", protocol.title(), at(protocol, high))
            }
            Figure::Tail(protocol, high) => {
                format!("p99, {}{}", protocol.title(), at(protocol, high))
            }
            Figure::MemoryIdle => "resident memory, idle".to_owned(),
            Figure::MemoryPeak => "resident memory, most under load".to_owned(),
        }
    }

    /// The figures that were measured, in the order of the table.
    fn measured(&self) -> impl Iterator<Item = Figure> {
        let seen = |figure: &Figure| self.samples.keys().any(|(key, _)| *key == figure.key());
        Figure::ALL.into_iter().filter(seen)
    }

    /// The table and the goals, in Markdown.
    pub(super) fn table(&self) -> String {
        let mut text = format!("{}\n\n| |", self.method);
        for column in &self.columns {
            let _ = write!(text, " {} |", column.title);
        }
        text.push_str("\n|---|");
        text.push_str(&"---:|".repeat(self.columns.len()));
        for figure in self.measured() {
            let _ = write!(text, "\n| {}, {} |", self.title(figure), figure.unit());
            for column in &self.columns {
                match self.median_of(column.name, figure) {
                    Some(value) => text.push_str(&[" ", &short(value), " |"].concat()),
                    None => text.push_str(" – |"),
                }
            }
        }
        text.push_str("\n\n| goal | at most | measured | |\n|---|---:|---:|---|\n");
        for goal in GOALS {
            goal.line(self, &mut text);
        }
        self.changes(&mut text);
        for missing in &self.missing {
            let _ = writeln!(text, "\n{missing}");
        }
        text
    }

    /// The ratios to the baseline, where there is one.
    fn changes(&self, text: &mut String) {
        let changes: Vec<String> = self
            .measured()
            .filter_map(|figure| {
                let ratio = self.ratio(figure, "baseline")?;
                Some(format!("| {} | {ratio:.2} |\n", self.title(figure)))
            })
            .collect();
        if !changes.is_empty() {
            text.push_str("\n| web | × baseline |\n|---|---:|\n");
            text.push_str(&changes.concat());
        }
    }

    /// Writes table, samples and a plot for each figure.
    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        fs::write(folder.join("web.md"), self.table()).context("web.md")?;
        let samples: Vec<Value> = self
            .samples
            .iter()
            .map(|((key, name), values)| json!({"figure": key, "proxy": name, "samples": values}))
            .collect();
        let json = serde_json::to_vec_pretty(&samples).context("web.json")?;
        fs::write(folder.join("web.json"), json).context("web.json")?;
        for figure in self
            .measured()
            .filter(|figure| !matches!(figure, Figure::Busy(_)))
        {
            let bars: Vec<(String, f64)> = self
                .columns
                .iter()
                .filter_map(|it| Some((it.title.clone(), self.median_of(it.name, figure)?)))
                .collect();
            let better = if figure.more_is_better() {
                "more"
            } else {
                "less"
            };
            let caption = format!(
                "{}, {} ({better} is better)",
                self.title(figure),
                figure.unit()
            );
            let path = folder.join(format!("web-{}.svg", figure.key()));
            plot::bars(&caption, &bars, &path)?;
        }
        Ok(())
    }
}

/// A goal of web.
struct Goal {
    figure: Figure,
    /// The proxy to compare with; none where the number itself is the goal.
    peer: Option<&'static str>,
    most: f64,
}

const GOALS: [Goal; 6] = [
    Goal {
        figure: Figure::Cpu(Protocol::Http1),
        peer: Some("nginx"),
        most: 1.0,
    },
    Goal {
        figure: Figure::Cpu(Protocol::Http2),
        peer: Some("haproxy"),
        most: 1.0,
    },
    Goal {
        figure: Figure::Handshake(Group::X25519),
        peer: Some("nginx"),
        most: 0.6,
    },
    Goal {
        figure: Figure::Tail(Protocol::Http1, true),
        peer: Some("nginx"),
        most: 1.0,
    },
    Goal {
        figure: Figure::Tail(Protocol::Http2, true),
        peer: Some("nginx"),
        most: 1.0,
    },
    Goal {
        figure: Figure::MemoryPeak,
        peer: None,
        most: 40.0,
    },
];

impl Goal {
    fn line(&self, results: &Results, text: &mut String) {
        let measured = match self.peer {
            Some(peer) => results.ratio(self.figure, peer),
            None => results.median_of("web", self.figure),
        };
        let Some(measured) = measured else { return };
        let what = results.title(self.figure);
        let of = match self.peer {
            Some(peer) => format!(" × {peer}"),
            None => format!(" {}", self.figure.unit()),
        };
        let verdict = if measured <= self.most {
            "met"
        } else {
            "**not met**"
        };
        let _ = writeln!(
            text,
            "| {what} | {}{of} | {measured:.2} | {verdict} |",
            short(self.most)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results() -> Results {
        let column = |name: &'static str| Column {
            name,
            title: name.to_owned(),
        };
        let figure = Figure::Cpu(Protocol::Http1).key();
        Results {
            columns: vec![column("web"), column("nginx")],
            missing: vec!["haproxy is missing: install it".to_owned()],
            method: "Measured.".to_owned(),
            rates: Vec::new(),
            samples: BTreeMap::from([
                ((figure.clone(), "web"), vec![10.0, 40.0, 12.0]),
                ((figure, "nginx"), vec![20.0, 20.0, 24.0]),
            ]),
        }
    }

    #[test]
    fn a_ratio_is_that_of_the_rounds() {
        let figure = Figure::Cpu(Protocol::Http1);
        assert_eq!(results().median_of("web", figure), Some(12.0));
        assert_eq!(results().ratio(figure, "nginx"), Some(0.5));
        assert_eq!(results().ratio(figure, "haproxy"), None);
    }

    #[test]
    fn the_table_names_goals_and_what_is_missing() {
        let table = results().table();
        assert!(
            table.contains("| CPU per request, HTTP/1.1 | 1.00 × nginx | 0.50 | met |"),
            "{table}"
        );
        assert!(table.contains("haproxy is missing"), "{table}");
    }
}
