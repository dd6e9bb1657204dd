//! The gate before every write: no build below the release floor writes.
//!
//! A transaction reads the floor when it begins and holds it in share mode, so that a floor is raised only after all
//! writes that began under the lower one have ended. The app tier verifies the row; a row that was verified is known
//! again by its MAC. Single statements outside transactions rely on a floor that was verified within [`FRESH`].

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use phi_types::RowMac;
use sqlx::MySqlPool;
use tokio::sync::Mutex as AsyncMutex;

use crate::Database;
use crate::Error;
use crate::RELEASE;
use crate::ReleaseFloorRow;
use crate::Transaction;
use crate::release::lock_floor;

/// The age at which the floor is read and verified again: the longest that an outdated build goes on recording reads.
const FRESH: Duration = Duration::from_secs(1);
/// Attempts to begin a transaction while the floor changes.
const ATTEMPTS: usize = 3;

/// The release floor does not let this process write.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FloorError {
    /// The floor is above this build. There is no way back: this process has to be replaced.
    #[error(
        "the release floor is {needed}, and this build is release {RELEASE}: replace this process by a build of release \
         {needed} or later"
    )]
    Outdated {
        /// The lowest release that may write.
        needed: u32,
    },
    /// The floor is missing, does not verify, or was put back; it was reported as tampering.
    #[error("the release floor was tampered with")]
    Tampered,
    /// The floor cannot be verified now: the keys are not there yet, or the key service is unavailable.
    #[error("the release floor cannot be verified now")]
    Unverifiable,
}

/// The result of verifying a floor, to come.
pub type Verification<'a> =
    Pin<Box<dyn Future<Output = Result<ReleaseFloorRow, FloorError>> + Send + 'a>>;

/// Verifies release floors: the app tier, which has the system's authorization key.
pub trait FloorVerifier: fmt::Debug + Send + Sync {
    /// The stored floor, if its MAC verifies and it is not below `known`, the highest one verified before. Otherwise,
    /// as for a missing one, tampering is reported.
    fn verify(&self, stored: Option<ReleaseFloorRow>, known: u32) -> Verification<'_>;
}

/// What a process knows of the floor.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    verifier: OnceLock<Arc<dyn FloorVerifier>>,
    known: Mutex<Option<Known>>,
    /// Held while the floor is read and verified, so that concurrent writes do it once.
    refresh: AsyncMutex<()>,
}

/// The last floor that was verified: the highest one, since a lower one is refused.
#[derive(Clone, Copy, Debug)]
struct Known {
    lowest: u32,
    mac: RowMac,
    at: Instant,
}

impl Known {
    fn admits(self) -> Result<(), FloorError> {
        if self.lowest <= RELEASE {
            Ok(())
        } else {
            Err(FloorError::Outdated {
                needed: self.lowest,
            })
        }
    }
}

impl Gate {
    fn known(&self) -> Option<Known> {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self) -> Option<Known> {
        self.known().filter(|known| known.at.elapsed() < FRESH)
    }

    /// Whether this is the row that was verified last.
    fn is_known(&self, stored: Option<&ReleaseFloorRow>) -> Option<Known> {
        let stored = stored?;
        self.known()
            .filter(|known| known.mac == stored.mac && known.lowest == stored.lowest)
    }

    /// Remembers a floor that was verified after it was read at `at`. One that was raised meanwhile, and verified by
    /// another task, is not replaced.
    fn remember(&self, row: &ReleaseFloorRow, at: Instant) -> Result<(), FloorError> {
        let mut held = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let read = Known {
            lowest: row.lowest,
            mac: row.mac,
            at,
        };
        let known = held
            .filter(|held| held.lowest > read.lowest)
            .unwrap_or(read);
        *held = Some(known);
        known.admits()
    }
}

impl Database {
    /// Sets the verifier of floors, once. Without one, nothing is written.
    pub fn verify_floor_with(&self, verifier: Arc<dyn FloorVerifier>) {
        // A second verifier is ignored: the first one is in use.
        let _second = self.gate.verifier.set(verifier);
    }

    /// Reads and verifies the release floor.
    ///
    /// # Errors
    /// [`Error::Floor`] if this process may not write; see [`Error`].
    pub async fn check_floor(&self) -> Result<(), Error> {
        let verifier = self.gate.verifier.get();
        let verifier = verifier.ok_or(FloorError::Unverifiable)?;
        // Taken before the row is read: a floor that is raised in between was not put back.
        let highest = self.gate.known().map_or(0, |known| known.lowest);
        let at = Instant::now();
        let stored = self.release_floor().await?;
        let row = verifier.verify(stored, highest).await?;
        Ok(self.gate.remember(&row, at)?)
    }

    /// Whether all builds that may still write are of this release or a later one, as far as this process knows. The
    /// floor only rises, so `true` stays true: what only that release understands may be written.
    #[must_use]
    pub fn floor_is_at_least(&self, release: u32) -> bool {
        self.gate
            .known()
            .is_some_and(|known| known.lowest >= release)
    }

    /// The pool, for a statement that writes outside a transaction.
    pub(crate) async fn writable(&self) -> Result<&MySqlPool, Error> {
        if let Some(known) = self.gate.fresh() {
            known.admits()?;
            return Ok(&self.pool);
        }
        let _refreshing = self.gate.refresh.lock().await;
        match self.gate.fresh() {
            Some(known) => known.admits()?,
            None => self.check_floor().await?,
        }
        Ok(&self.pool)
    }

    /// Begins a transaction, which the release floor has to admit; dropped without [`Transaction::commit`], it is
    /// rolled back.
    ///
    /// # Errors
    /// [`Error::Floor`], [`Error::Unavailable`].
    pub async fn begin(&self) -> Result<Transaction, Error> {
        for _ in 0..ATTEMPTS {
            let mut inner = self.writable().await?.begin().await?;
            let locked = lock_floor(&mut inner).await?;
            if let Some(known) = self.gate.is_known(locked.as_ref()) {
                known.admits()?;
                return Ok(Transaction { inner });
            }
            // Verified without holding the connection: a key may have to be loaded over another one.
            inner.rollback().await?;
            self.check_floor().await?;
        }
        Err(Error::Conflict)
    }

    /// Begins the transaction that makes the first floor. Every later one needs a floor that verifies.
    ///
    /// # Errors
    /// [`Error::UniqueViolation`] if there is a floor.
    pub async fn begin_first(&self, floor: &ReleaseFloorRow) -> Result<Transaction, Error> {
        let inner = self.pool.begin().await?;
        let mut transaction = Transaction { inner };
        transaction.insert_release_floor(floor).await?;
        Ok(transaction)
    }
}
