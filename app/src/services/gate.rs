//! Authorization: the access table applied to a caller, with refusals on record.

use audit::{Outcome, RecordReference};

use crate::services::access::{Permitted, Right};
use crate::services::caller::Caller;
use crate::services::clock::Clock;
use crate::services::error::ServiceError;
use crate::services::ledger::Ledger;

/// Authorizes callers and records refusals.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    ledger: Ledger,
    clock: Clock,
}

impl Gate {
    /// A gate over these services.
    pub(crate) fn new(ledger: Ledger, clock: Clock) -> Self {
        Self { ledger, clock }
    }

    /// Authorizes a right. A refusal is recorded before it is returned.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Forbidden`], or why the refusal could not be recorded.
    pub(crate) async fn permit<R: Right>(
        &self,
        caller: &Caller,
        right: R,
    ) -> Result<Permitted<R>, ServiceError> {
        let refused = match Permitted::ask(caller.role, right) {
            Ok(permitted) => return Ok(permitted),
            Err(refused) => refused,
        };
        let record = RecordReference {
            kind: refused.subject.to_owned(),
            id: None,
            version: None,
            patient: None,
        };
        let now = self.clock.now();
        let event = caller.event(now, refused.action, Outcome::Refused, vec![record]);
        let _recorded = self
            .ledger
            .record(caller.organization, caller.origin.source, event)
            .await?;
        Err(ServiceError::Forbidden)
    }
}
