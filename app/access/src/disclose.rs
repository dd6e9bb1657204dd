//! Disclosure: the release of values after their audit events are recorded.

use std::fmt;

use audit::Action;
use audit::Outcome;
use audit::RecordReference;

use crate::CallerEvent;
use crate::Denial;
use crate::Disclosing;
use crate::NotPhi;
use crate::PermitError;
use crate::Permitted;
use crate::Record;
use crate::Trail;
use crate::refusals::record_refusal;

/// A value that may be sent to the caller: its disclosure is recorded, or it contains no PHI.
///
/// [`disclose`] and [`disclose_partial`] return it, [`AuditReceipt::disclose`](crate::AuditReceipt::disclose)
/// for the records of a write, and `From<NotPhi<T>>` for a value without PHI. Closures given to
/// [`Self::map`] and callers of [`Self::into_inner`] are trusted.
#[must_use = "the audit trail lists a recorded disclosure even if it is not sent"]
pub struct Disclosed<T>(T);

impl<T> Disclosed<T> {
    /// The value of a disclosure that is recorded already: by the event of a write.
    pub(crate) const fn of_recorded(value: T) -> Self {
        Self(value)
    }

    /// The value in another form, such as a page or a document. `form` must add no PHI whose disclosure
    /// is not recorded.
    pub fn map<U>(self, form: impl FnOnce(T) -> U) -> Disclosed<U> {
        Disclosed(form(self.0))
    }

    /// Two disclosures as one, for a response that contains both.
    pub fn zip<U>(self, other: Disclosed<U>) -> Disclosed<(T, U)> {
        Disclosed((self.0, other.0))
    }

    /// Several disclosures as one.
    pub fn all(disclosures: impl IntoIterator<Item = Self>) -> Disclosed<Vec<T>> {
        Disclosed(disclosures.into_iter().map(|it| it.0).collect())
    }

    /// The value, for a responder to write into a response.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<K, T> Disclosed<Vec<(K, T)>> {
    /// Each value as a disclosure of its own, by a key that contains no PHI.
    pub fn each(self) -> impl Iterator<Item = (K, Disclosed<T>)> {
        self.0
            .into_iter()
            .map(|(key, value)| (key, Disclosed(value)))
    }
}

/// A value without PHI may be sent without an audit event.
impl<T> From<NotPhi<T>> for Disclosed<T> {
    fn from(value: NotPhi<T>) -> Self {
        Self(value.into_inner())
    }
}

impl<T> fmt::Debug for Disclosed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disclosed(..)")
    }
}

/// Records the disclosure of `records` durably, then returns `value`.
///
/// `records` must be all records that `value` contains data of. If there are none, as for a search
/// without matches, the event names the permit's subject: that it has no such record is disclosed.
///
/// # Errors
///
/// [`PermitError::Refused`] if a record, or without records the subject, is outside the permit's reach;
/// the refusal is recorded.
/// [`PermitError::Trail`] if the event could not be recorded. In both cases `value` is dropped.
pub async fn disclose<T: Trail, A: Disclosing, V>(
    trail: &T,
    permitted: &Permitted<'_, A>,
    records: &[Record],
    value: V,
) -> Result<Disclosed<V>, PermitError<T::Error>> {
    release(trail, permitted, Outcome::Success, records, value, None).await
}

/// Like [`disclose`], for a value from which stored records are missing, because they could not be
/// opened or are hidden.
///
/// Two events of the same request: one of outcome `Failed` that names `unopened`, the records that
/// are known but not in `value`; then one of outcome `Partial` that names `records`, as
/// [`disclose`] does. Without known `unopened` records there is only the second.
///
/// # Errors
///
/// See [`disclose`]. A record in either list that is outside the permit is refused.
pub async fn disclose_partial<T: Trail, A: Disclosing, V>(
    trail: &T,
    permitted: &Permitted<'_, A>,
    records: &[Record],
    unopened: &[Record],
    value: V,
) -> Result<Disclosed<V>, PermitError<T::Error>> {
    admit_all(trail, permitted, records, |it| permitted.admits(it)).await?;
    record_unopened(trail, permitted, unopened).await?;
    release(trail, permitted, Outcome::Partial, records, value, None).await
}

/// Discloses a value that has only the number of its records, which are too many to be named: the event names the permit's
/// subject, and the number of `matches`. With `unopened` records there are two events, as [`disclose_partial`] has them.
///
/// # Errors
///
/// See [`disclose`]. The number is refused unless the permit reaches all records of its subject.
pub async fn disclose_count<T: Trail, A: Disclosing, V>(
    trail: &T,
    permitted: &Permitted<'_, A>,
    matches: u32,
    unopened: &[Record],
    value: V,
) -> Result<Disclosed<V>, PermitError<T::Error>> {
    let subject = [Record::from(*permitted.subject())];
    admit_all(trail, permitted, &subject, |it| permitted.admits(it)).await?;
    record_unopened(trail, permitted, unopened).await?;
    let outcome = if unopened.is_empty() {
        Outcome::Success
    } else {
        Outcome::Partial
    };
    release(trail, permitted, outcome, &[], value, Some(matches)).await
}

/// Records which of the records that belong to a value could not be opened.
async fn record_unopened<T: Trail, A: Disclosing>(
    trail: &T,
    permitted: &Permitted<'_, A>,
    unopened: &[Record],
) -> Result<(), PermitError<T::Error>> {
    if unopened.is_empty() {
        return Ok(());
    }
    admit_all(trail, permitted, unopened, |it| permitted.admits(it)).await?;
    let unopened = unopened.iter().map(Record::reference).collect();
    let failed = record_references(trail, permitted, Outcome::Failed, unopened, None);
    failed.await.map_err(PermitError::Trail)
}

/// The outcome of a permitted action that neither disclosed nor changed a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unsuccessful {
    /// The caller's organization has no such record.
    NotFound,
    /// The action failed.
    Failed,
}

/// Records that a permitted action had no effect.
///
/// # Errors
///
/// The trail's error: the event is not recorded.
pub async fn record_unsuccessful<T: Trail, A: crate::Action>(
    trail: &T,
    permitted: &Permitted<'_, A>,
    outcome: Unsuccessful,
) -> Result<(), T::Error> {
    let outcome = match outcome {
        Unsuccessful::NotFound => Outcome::NotFound,
        Unsuccessful::Failed => Outcome::Failed,
    };
    let records = vec![permitted.subject().reference(None)];
    record_references(trail, permitted, outcome, records, None).await
}

/// Records an event of a permitted action.
async fn record_references<T: Trail, A: crate::Action>(
    trail: &T,
    permitted: &Permitted<'_, A>,
    outcome: Outcome,
    records: Vec<RecordReference>,
    counted: Option<u32>,
) -> Result<(), T::Error> {
    let action = permitted.audited();
    let event = CallerEvent::new(permitted.caller(), trail.now(), action, outcome, records);
    let event = event.counting(counted);
    // Boxed: the compiler limits the depth of the futures that a handler consists of.
    Box::pin(trail.commit(event)).await
}

/// Refuses records that `decide`, of the permit, does not admit.
pub(crate) async fn admit_all<T: Trail, A: crate::Action>(
    trail: &T,
    permitted: &Permitted<'_, A>,
    records: &[Record],
    decide: impl Fn(&Record) -> Result<(), Denial>,
) -> Result<(), PermitError<T::Error>> {
    let (caller, action): (_, Action) = (permitted.caller(), permitted.audited());
    for record in records {
        if let Err(denial) = decide(record) {
            let refusal = record_refusal(trail, caller, action, vec![record.reference()]);
            Box::pin(refusal).await.map_err(PermitError::Trail)?;
            return Err(PermitError::Refused(denial));
        }
    }
    Ok(())
}

/// Decides about each record, records the disclosure, and returns the value.
async fn release<T: Trail, A: Disclosing, V>(
    trail: &T,
    permitted: &Permitted<'_, A>,
    outcome: Outcome,
    records: &[Record],
    value: V,
    counted: Option<u32>,
) -> Result<Disclosed<V>, PermitError<T::Error>> {
    let subject = [Record::from(*permitted.subject())];
    // A number of matches, also none, is disclosed of all records of the subject.
    let records = if records.is_empty() {
        &subject
    } else {
        records
    };
    // All decisions precede the event, so that a refused disclosure is never recorded as made.
    admit_all(trail, permitted, records, |it| permitted.admits(it)).await?;
    let references = records.iter().map(Record::reference).collect();
    let recorded = record_references(trail, permitted, outcome, references, counted);
    recorded.await.map_err(PermitError::Trail)?;
    Ok(Disclosed(value))
}

#[cfg(test)]
mod tests;
