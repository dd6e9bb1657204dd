//! The budget of individually recorded refusals.
//!
//! A caller that is refused a thousand times a minute must not fill the trail. The first refusals of a
//! minute are recorded individually. The others are counted, and after the minute one event records
//! their number. The counts are kept in memory: a crash loses them, but no recorded refusal.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use audit::Action;
use audit::Outcome;
use audit::RecordReference;
use time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Caller;
use crate::CallerEvent;
use crate::Trail;

/// The length of a window in which a caller's refusals are counted.
const WINDOW: Duration = Duration::MINUTE;

/// The refusals of each caller in the current minute.
#[derive(Debug)]
pub struct RefusalBudget {
    per_minute: u32,
    windows: Mutex<HashMap<CallerKey, Window>>,
}

/// The identity of a caller across requests.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct CallerKey {
    organization: Uuid,
    person: Option<Uuid>,
}

/// The refusals of one caller in one window.
#[derive(Debug)]
struct Window {
    began: OffsetDateTime,
    recorded: u32,
    suppressed: u32,
    /// The latest suppressed event, from which the summary is made.
    latest: Option<CallerEvent>,
}

/// The events to record after a refusal: the summary of an ended window, and the refusal itself.
#[derive(Debug, Default)]
struct Admitted {
    summary: Option<CallerEvent>,
    refusal: Option<CallerEvent>,
}

/// The windows that [`flush_refusals`] ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Windows {
    /// Windows that are over, for a task that runs every minute.
    Ended,
    /// All windows, for the shutdown.
    All,
}

impl RefusalBudget {
    /// A budget of `per_minute` individually recorded refusals for each caller.
    #[must_use]
    pub fn new(per_minute: u32) -> Self {
        Self {
            per_minute,
            windows: Mutex::default(),
        }
    }

    /// Counts a refusal at the time of its event.
    fn admit(&self, event: CallerEvent) -> Admitted {
        let now = event.event().at;
        let mut windows = self.lock();
        let window = windows
            .entry(CallerKey::of(&event))
            .or_insert_with(|| Window::begin(now));
        let mut admitted = Admitted::default();
        // The task that ends windows may be late, so an ended window is also replaced here.
        if window.has_ended(now) {
            admitted.summary = std::mem::replace(window, Window::begin(now)).summary();
        }
        if window.recorded < self.per_minute {
            window.recorded += 1;
            admitted.refusal = Some(event);
        } else {
            window.suppress(1, event);
        }
        admitted
    }

    /// Removes windows and returns their summaries.
    fn take(&self, which: Windows, now: OffsetDateTime) -> Vec<CallerEvent> {
        self.lock()
            .extract_if(|_, window| which == Windows::All || window.has_ended(now))
            .filter_map(|(_, window)| window.summary())
            .collect()
    }

    /// Restores the count of a summary that could not be recorded.
    fn restore(&self, summary: CallerEvent) {
        let (at, count) = (summary.event().at, summary.event().suppressed);
        self.lock()
            .entry(CallerKey::of(&summary))
            .or_insert_with(|| Window::begin(at))
            .suppress(count.unwrap_or_default(), summary);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CallerKey, Window>> {
        // Poisoning is ignored: after a panic, a count is off by one at most.
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    const fn begin(began: OffsetDateTime) -> Self {
        Self {
            began,
            recorded: 0,
            suppressed: 0,
            latest: None,
        }
    }

    fn has_ended(&self, now: OffsetDateTime) -> bool {
        now - self.began >= WINDOW
    }

    fn suppress(&mut self, count: u32, event: CallerEvent) {
        self.suppressed = self.suppressed.saturating_add(count);
        self.latest = Some(event);
    }

    fn summary(self) -> Option<CallerEvent> {
        Some(self.latest?.into_summary(self.suppressed))
    }
}

impl CallerKey {
    fn of(event: &CallerEvent) -> Self {
        Self {
            organization: event.event().organization,
            person: event.event().person,
        }
    }
}

/// Records a refusal within the caller's budget.
pub(crate) async fn record_refusal<T: Trail>(
    trail: &T,
    caller: &Caller,
    action: Action,
    records: Vec<RecordReference>,
) -> Result<(), T::Error> {
    let event = CallerEvent::new(caller, trail.now(), action, Outcome::Refused, records);
    let admitted = trail.refusals().admit(event);
    if let Some(summary) = admitted.summary {
        commit_summary(trail, summary).await?;
    }
    if let Some(refusal) = admitted.refusal {
        trail.commit(refusal).await?;
    }
    Ok(())
}

/// Records the counted refusals, one summary event for each caller.
///
/// # Errors
///
/// The trail's error. Counts that were not recorded are kept.
pub async fn flush_refusals<T: Trail>(trail: &T, which: Windows) -> Result<(), T::Error> {
    let mut result = Ok(());
    for summary in trail.refusals().take(which, trail.now()) {
        if result.is_ok() {
            result = commit_summary(trail, summary).await;
        } else {
            trail.refusals().restore(summary);
        }
    }
    result
}

async fn commit_summary<T: Trail>(trail: &T, summary: CallerEvent) -> Result<(), T::Error> {
    let result = trail.commit(summary.clone()).await;
    if result.is_err() {
        trail.refusals().restore(summary);
    }
    result
}

#[cfg(test)]
mod tests;
