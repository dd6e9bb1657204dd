//! The lanes of this instance that nobody is writing just now.

use std::sync::{Arc, Mutex, PoisonError};

use audit::Lane;
use db::EventRow;
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

    /// Gives back a lane at whose end `rows` now stand.
    pub(super) fn give_back(&self, mut lane: Lane, rows: &[EventRow]) {
        if let Some(last) = rows.last() {
            lane.committed(&last.entry);
        }
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(lane);
    }
}
