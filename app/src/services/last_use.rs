//! The time since a shared value was last used, by which idle ones are dropped.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::Instant;

/// The time of a value's last use; at first, of its creation.
#[derive(Debug)]
pub(crate) struct LastUse(Mutex<Instant>);

impl Default for LastUse {
    fn default() -> Self {
        Self(Mutex::new(Instant::now()))
    }
}

impl LastUse {
    /// Records a use.
    pub(crate) fn touch(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// The time since the last use.
    pub(crate) fn idle(&self) -> Duration {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed()
    }
}
