//! The lanes of this instance that nobody is writing just now.

use std::sync::{Arc, Mutex, PoisonError};

use audit::Lane;
use phi::RowId;

/// A stack of lanes. A lane that is taken and not given back is abandoned: its last entry is in doubt.
#[derive(Clone, Debug, Default)]
pub(super) struct Lanes(Arc<Mutex<Vec<Lane>>>);

impl Lanes {
    /// A lane that nobody else writes.
    pub(super) fn take(&self) -> Lane {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(|| Lane::begin(RowId::random().uuid()))
    }

    /// Gives back a lane whose end is known.
    pub(super) fn give_back(&self, lane: Lane) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(lane);
    }
}
