//! The pool of this instance's hash chains.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use audit::HashChain;
use db::EventRow;
use phi::RowId;

/// A pool of hash chains. A chain is checked in only after its new entries are known to be stored;
/// otherwise its end is in doubt, and it is abandoned.
#[derive(Clone, Debug, Default)]
pub(super) struct ChainPool(Arc<Mutex<Vec<HashChain>>>);

impl ChainPool {
    /// A chain for one commit: an idle one, or a new one.
    pub(super) fn checkout(&self) -> HashChain {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(|| HashChain::begin(RowId::random().uuid()))
    }

    /// Returns a chain to the pool after `rows` were committed at its end.
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
