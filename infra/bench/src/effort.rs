//! How long each measurement lasts, and how often it is repeated.

use std::time::Duration;

/// The extent of a run.
#[derive(Clone, Copy, Debug, clap::Args)]
#[group(skip)]
pub(super) struct Effort {
    /// Measures everything once, each load for a second, and no other proxy: shows that the benchmarks work
    #[arg(long)]
    brief: bool,
}

impl Effort {
    /// Whether every load lasts a second.
    pub(super) fn is_brief(self) -> bool {
        self.brief
    }

    /// The duration of a load that lasts `full` otherwise.
    pub(super) fn span(self, full: Duration) -> Duration {
        if self.brief {
            full.min(Duration::from_secs(1))
        } else {
            full
        }
    }

    /// The number of repetitions where `full` are usual.
    pub(super) fn rounds(self, full: usize) -> usize {
        if self.brief { 1 } else { full }
    }
}
