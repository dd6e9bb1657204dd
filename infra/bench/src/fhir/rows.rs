//! The rows of one load in the table.

use super::measured::Measured;
use crate::figures::Figures;

/// A load's results, and the peer's if it was measured.
pub(super) struct Rows<'m> {
    pub(super) figures: &'m mut Figures,
    pub(super) shape: String,
    pub(super) own: &'m Measured,
    pub(super) peer: Option<&'m Measured>,
    pub(super) peer_title: &'m str,
}

impl Rows<'_> {
    /// Rates: by the clock, and by CPU time.
    pub(super) fn add_rate(&mut self, what: &str) {
        self.add(&format!("{what}/s of the clock"), "/s", Measured::rate);
        let name = format!("{what}/s per vCPU of app and database");
        self.add(&name, "/s", |it| it.rate_of(it.cpu.counted()));
        let name = format!("{what}/s per vCPU of web, app and database");
        self.add(&name, "/s", |it| it.rate_of(it.cpu.counted() + it.cpu.edge));
        let one = what.strip_suffix('s').unwrap_or(what);
        self.add(&format!("CPU time of app per {one}"), "ms", |it| {
            it.milliseconds_of(it.cpu.server)
        });
        self.add(&format!("CPU time of the database per {one}"), "ms", |it| {
            it.milliseconds_of(it.cpu.database)
        });
    }

    /// Latencies: of all requests, and by interaction.
    pub(super) fn add_latencies(&mut self) {
        for percentile in [50.0, 99.0] {
            self.add(&format!("p{percentile}"), "ms", |it| {
                it.latencies.milliseconds(None, percentile)
            });
        }
        for name in self.own.latencies.names() {
            for percentile in [50.0, 99.0] {
                self.add(&format!("p{percentile} of {name}"), "ms", |it| {
                    it.latencies.milliseconds(Some(name), percentile)
                });
            }
        }
    }

    fn add(&mut self, what: &str, unit: &'static str, figure: impl Fn(&Measured) -> f64) {
        let peer = self.peer.map(&figure);
        self.figures.add_beside(
            &format!("{}: {what}", self.shape),
            figure(self.own),
            unit,
            (self.peer_title, peer),
        );
    }
}
