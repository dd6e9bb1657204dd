//! The check before every write: a build below the release floor does not write.
//!
//! A transaction reads the floor when it begins and locks it in share mode, so that a floor is raised only after all
//! transactions that began under the lower one have ended. The app tier verifies the row; a row that was verified before
//! is recognized by its MAC. Single statements outside transactions rely on a floor that was verified within [`MAX_AGE`].

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

/// Age at which the verified floor is read and verified again: the maximum time for which an outdated build still records
/// reads.
const MAX_AGE: Duration = Duration::from_secs(1);
/// Maximum number of attempts to begin a transaction while the floor changes.
const MAX_ATTEMPTS: usize = 3;

/// The release floor does not permit this process to write.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FloorError {
    /// The floor is above the release of this build. Floors only rise, so this process has to be replaced.
    #[error(
        "the release floor is {needed}, and this build is release {RELEASE}: replace this process by a build of release \
         {needed} or later"
    )]
    Outdated {
        /// The lowest release that may write.
        needed: u32,
    },
    /// The floor is missing, does not verify, or is below one verified before. It was reported as tampering.
    #[error("the release floor was tampered with")]
    Tampered,
    /// The floor cannot be verified now: no keys exist yet, or the key service is unavailable.
    #[error("the release floor cannot be verified now")]
    Unverifiable,
}

/// The future of a [`FloorVerifier`].
pub type Verification<'a> =
    Pin<Box<dyn Future<Output = Result<ReleaseFloorRow, FloorError>> + Send + 'a>>;

/// A verifier of release floors. The app tier implements it, since it has the system's authorization key.
pub trait FloorVerifier: fmt::Debug + Send + Sync {
    /// Returns the stored floor if its MAC verifies and it is not below `known`, the highest one verified before.
    /// Otherwise, and if the floor is missing, the implementation reports tampering.
    fn verify(&self, stored: Option<ReleaseFloorRow>, known: u32) -> Verification<'_>;
}

/// The state of the check: the verifier, and the last floor that it verified.
#[derive(Debug, Default)]
pub(crate) struct FloorGate {
    verifier: OnceLock<Arc<dyn FloorVerifier>>,
    known: Mutex<Option<VerifiedFloor>>,
    /// Locked while the floor is read and verified, so that concurrent writes share the result.
    refresh: AsyncMutex<()>,
}

/// The last floor that was verified, which is the highest: lower ones are refused.
#[derive(Clone, Copy, Debug)]
struct VerifiedFloor {
    lowest: u32,
    mac: RowMac,
    /// The time at which the row was read.
    at: Instant,
}

impl VerifiedFloor {
    /// Whether this build may write under the floor.
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

impl FloorGate {
    fn known(&self) -> Option<VerifiedFloor> {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last verified floor, unless it is older than [`MAX_AGE`].
    fn fresh(&self) -> Option<VerifiedFloor> {
        self.known().filter(|known| known.at.elapsed() < MAX_AGE)
    }

    /// The last verified floor, if `stored` is that row.
    fn recognize(&self, stored: Option<&ReleaseFloorRow>) -> Option<VerifiedFloor> {
        let stored = stored?;
        self.known()
            .filter(|known| known.mac == stored.mac && known.lowest == stored.lowest)
    }

    /// Stores a floor that was read at `at` and then verified, unless another task has verified a higher one meanwhile.
    fn remember(&self, row: &ReleaseFloorRow, at: Instant) -> Result<(), FloorError> {
        let mut current = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let read = VerifiedFloor {
            lowest: row.lowest,
            mac: row.mac,
            at,
        };
        let known = current
            .filter(|current| current.lowest > read.lowest)
            .unwrap_or(read);
        *current = Some(known);
        known.admits()
    }
}

impl Database {
    /// Sets the verifier of floors. Without one, every write is refused.
    pub fn set_floor_verifier(&self, verifier: Arc<dyn FloorVerifier>) {
        // A second call is ignored: writes may already rely on the first verifier.
        let _ignored = self.gate.verifier.set(verifier);
    }

    /// Reads and verifies the release floor.
    ///
    /// # Errors
    /// [`Error::Floor`] if this process may not write; see [`Error`].
    pub async fn check_floor(&self) -> Result<(), Error> {
        let verifier = self.gate.verifier.get();
        let verifier = verifier.ok_or(FloorError::Unverifiable)?;
        // Read before the row: a floor that another task verifies in between must not make this row look lowered.
        let highest = self.gate.known().map_or(0, |known| known.lowest);
        let at = Instant::now();
        let stored = self.release_floor().await?;
        let row = verifier.verify(stored, highest).await?;
        Ok(self.gate.remember(&row, at)?)
    }

    /// Whether all builds that may still write are of `release` or later, as far as this process knows. The floor only
    /// rises, so `true` remains true, and formats that only that release understands may be written.
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

    /// Begins a transaction, if the release floor permits. It is rolled back when it is dropped without
    /// [`Transaction::commit`].
    ///
    /// # Errors
    /// [`Error::Floor`], [`Error::Unavailable`].
    pub async fn begin(&self) -> Result<Transaction, Error> {
        for _ in 0..MAX_ATTEMPTS {
            let mut inner = self.writable().await?.begin().await?;
            let locked = lock_floor(&mut inner).await?;
            if let Some(known) = self.gate.recognize(locked.as_ref()) {
                known.admits()?;
                return Ok(Transaction { inner });
            }
            // Verified without a connection in use: the verifier may need one to load a key.
            inner.rollback().await?;
            self.check_floor().await?;
        }
        Err(Error::Conflict)
    }

    /// Begins the transaction that inserts the first floor: the only one that needs no verified floor.
    ///
    /// # Errors
    /// [`Error::UniqueViolation`] if there is a floor.
    pub async fn begin_with_first_floor(
        &self,
        floor: &ReleaseFloorRow,
    ) -> Result<Transaction, Error> {
        let inner = self.pool.begin().await?;
        let mut transaction = Transaction { inner };
        transaction.insert_release_floor(floor).await?;
        Ok(transaction)
    }
}
