//! The hash chains of this instance that no commit holds.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use audit::HashChain;
use db::EventRow;
use phi::RowId;

/// A pool of chains. A chain that is not checked in again is abandoned: its last entry is in doubt.
#[derive(Clone, Debug, Default)]
pub(super) struct ChainPool(Arc<Mutex<Vec<HashChain>>>);

impl ChainPool {
    /// A chain for one commit.
    pub(super) fn checkout(&self) -> HashChain {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(|| HashChain::begin(RowId::random().uuid()))
    }

    /// Returns a chain at whose end `rows` now stand.
    pub(super) fn checkin(&self, mut chain: HashChain, rows: &[EventRow]) {
        if let Some(last) = rows.last() {
            chain.committed(&last.entry);
        }
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(chain);
    }
}
