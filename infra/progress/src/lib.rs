//! Progress output on standard error; standard output is for results.

use std::time::Duration;
use std::time::Instant;

use indicatif::ProgressBar;
use indicatif::ProgressStyle;

/// Where progress is shown, if at all.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    shown: bool,
}

impl Progress {
    /// Shows everything.
    #[must_use]
    pub fn shown() -> Self {
        Self { shown: true }
    }

    /// Shows nothing: for tests.
    #[must_use]
    pub fn hidden() -> Self {
        Self { shown: false }
    }

    /// Begins a step. On a terminal it spins until it is done; elsewhere it is a line.
    #[must_use]
    pub fn step(&self, what: &str) -> Step {
        let bar = if self.shown {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::hidden()
        };
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        if self.shown && bar.is_hidden() {
            eprintln!("  … {what}");
        }
        Step {
            bar,
            what: what.to_owned(),
            shown: self.shown,
            begun: Instant::now(),
        }
    }

    /// Prints a line.
    pub fn say(&self, words: &str) {
        if self.shown {
            eprintln!("  {words}");
        }
    }

    /// A bar over `length` things, with a rate per second.
    #[must_use]
    pub fn bar(&self, length: u64, things: &str) -> ProgressBar {
        if !self.shown {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new(length);
        let template = format!(
            "  {{bar:32}} {{human_pos}}/{{human_len}} {things}, {{per_sec:.1}}, {{eta}} left {{msg}}"
        );
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ "));
        }
        bar
    }
}

/// A step that is under way. Dropped before it is done, it leaves no mark.
#[derive(Debug)]
pub struct Step {
    bar: ProgressBar,
    what: String,
    shown: bool,
    begun: Instant,
}

impl Step {
    /// Marks the step as done, with the time it took.
    pub fn done(self) {
        self.bar.finish_and_clear();
        if self.shown {
            eprintln!(
                "  ✓ {} ({:.1} s)",
                self.what,
                self.begun.elapsed().as_secs_f64()
            );
        }
    }

    /// Gives way to the output of another program.
    pub fn pause(&self) {
        self.bar.disable_steady_tick();
        self.bar.set_message("");
        self.bar.tick();
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
