//! Writes: the audit event that the transaction of a write commits, and the receipt.

use std::collections::BTreeSet;
use std::ptr;

use audit::Action;
use audit::Outcome;
use audit::RecordReference;
use time::OffsetDateTime;

use crate::Caller;
use crate::CallerEvent;
use crate::Denial;
use crate::Disclosed;
use crate::PermitError;
use crate::Permitted;
use crate::Reach;
use crate::Record;
use crate::Trail;
use crate::action;
use crate::disclose::admit_all;
use crate::ids::PatientId;
use crate::refusals::record_refusal;

/// A permitted write whose event is not committed yet.
#[derive(Debug)]
#[must_use = "a write has no effect until it is committed"]
pub struct WriteRecord<'caller> {
    caller: &'caller Caller,
    at: OffsetDateTime,
    action: Action,
    records: Vec<RecordReference>,
}

/// Evidence that a write and its audit event are durable.
#[derive(Debug)]
#[must_use = "a receipt permits the disclosure of the written records"]
pub struct AuditReceipt(());

/// Decides about each record under its permit, and prepares one event for all of them.
///
/// # Errors
///
/// [`PermitError::Refused`] if a record is outside its permit, which is recorded, or if there are no
/// permits or permits of several callers. [`PermitError::Trail`] if a refusal could not be recorded.
pub async fn record_write<'caller, T: Trail>(
    trail: &T,
    writes: &[(&Permitted<'caller, action::Write>, Record)],
) -> Result<WriteRecord<'caller>, PermitError<T::Error>> {
    record_creation(trail, writes, &BTreeSet::new()).await
}

/// Like [`record_write`], for a transaction that creates the patients `created`: the caller may write into their new charts,
/// and the transaction must add the caller to their care teams.
///
/// # Errors
///
/// See [`record_write`].
pub async fn record_creation<'caller, T: Trail>(
    trail: &T,
    writes: &[(&Permitted<'caller, action::Write>, Record)],
    created: &BTreeSet<PatientId>,
) -> Result<WriteRecord<'caller>, PermitError<T::Error>> {
    let [(first, _), ..] = writes else {
        return Err(PermitError::Refused(Denial::Permits));
    };
    let (caller, action) = (first.caller(), first.audited());
    for (permitted, record) in writes {
        // By address: the same person in another request is another caller, with its own origin.
        if !ptr::eq(permitted.caller(), caller) {
            return Err(PermitError::Refused(Denial::Permits));
        }
        let is_of_created = |record: &Record| {
            let patient = record.subject.patient;
            patient.is_some_and(|patient| created.contains(&patient))
        };
        let denial = match permitted.admits(record) {
            // The permit of the new Patient is decided in its own turn.
            Err(Denial::Reach) if permitted.reach() == Reach::CareTeam && is_of_created(record) => {
                None
            }
            decided => decided.err(),
        };
        if let Some(denial) = denial {
            record_refusal(trail, caller, permitted.audited(), vec![record.reference()])
                .await
                .map_err(PermitError::Trail)?;
            return Err(PermitError::Refused(denial));
        }
    }
    Ok(WriteRecord {
        caller,
        at: trail.now(),
        action,
        records: writes
            .iter()
            .map(|(_, record)| record.reference())
            .collect(),
    })
}

/// Prepares the event of an export that is requested or removed. It names the permit's subject, which is the export, and
/// `records`, which the export depends on. It discloses nothing: each file is a disclosure of its own.
///
/// # Errors
///
/// [`PermitError::Refused`] if a record is outside the permit, which is recorded. [`PermitError::Trail`] if a refusal could
/// not be recorded.
pub async fn record_export<'caller, T: Trail>(
    trail: &T,
    permitted: &Permitted<'caller, action::Export>,
    records: &[Record],
) -> Result<WriteRecord<'caller>, PermitError<T::Error>> {
    admit_all(trail, permitted, records, |it| permitted.may_name(it)).await?;
    let export = permitted.subject().reference(None);
    let records = records.iter().map(Record::reference);
    Ok(WriteRecord {
        caller: permitted.caller(),
        at: trail.now(),
        action: permitted.audited(),
        records: std::iter::once(export).chain(records).collect(),
    })
}

/// Decides about a stored record on which a write depends, before the response can reveal anything of its content. Its patient is
/// known only once it is read. A refusal is recorded.
///
/// # Errors
///
/// See [`PermitError`].
pub async fn ensure_reached<T: Trail>(
    trail: &T,
    permitted: &Permitted<'_, action::Write>,
    record: &Record,
) -> Result<(), PermitError<T::Error>> {
    let records = std::slice::from_ref(record);
    admit_all(trail, permitted, records, |it| permitted.admits(it)).await
}

/// Records that a permitted write was refused because it conflicts with stored records. It counts in the caller's budget
/// of refusals: the response discloses something about stored records, and a client may repeat the request a thousand
/// times a minute.
///
/// # Errors
///
/// The trail's error: the refusal is not recorded, and the reason must not be disclosed.
pub async fn record_refused_write<T: Trail>(
    trail: &T,
    permitted: &Permitted<'_, action::Write>,
    records: &[Record],
) -> Result<(), T::Error> {
    let references = records.iter().map(Record::reference).collect();
    record_refusal(trail, permitted.caller(), permitted.audited(), references).await
}

impl WriteRecord<'_> {
    /// Runs `transaction`, which must commit the records together with the event.
    ///
    /// `transaction` is trusted to return `Ok` only after the commit.
    ///
    /// # Errors
    ///
    /// The error of the transaction.
    pub async fn commit<V, E, F>(
        self,
        transaction: impl FnOnce(CallerEvent) -> F,
    ) -> Result<(AuditReceipt, V), E>
    where
        F: Future<Output = Result<V, E>>,
    {
        let outcome = Outcome::Success;
        let event = CallerEvent::new(self.caller, self.at, self.action, outcome, self.records);
        let value = transaction(event).await?;
        Ok((AuditReceipt(()), value))
    }

    /// The time of the event.
    #[must_use]
    pub const fn at(&self) -> OffsetDateTime {
        self.at
    }
}

impl AuditReceipt {
    /// The written records as a disclosure, for the response to the write.
    pub fn disclose<V>(self, written: V) -> Disclosed<V> {
        Disclosed::of_recorded(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ChartAccess;
    use crate::DataClass;
    use crate::Export;
    use crate::Role;
    use crate::Subject;
    use crate::Write;
    use crate::permit;
    use crate::testing::MemoryTrail;
    use crate::testing::TrailDown;
    use crate::testing::caller;
    use crate::testing::client;
    use crate::testing::subject;

    #[tokio::test]
    async fn a_write_of_several_permits_has_one_event() {
        let trail = MemoryTrail::default();
        let caller = caller(Role::Clinician);
        let patient = subject(&caller, DataClass::Demographics).patient(PatientId::random());
        let note = subject(&caller, DataClass::Clinical).patient(patient.patient.unwrap());
        let first = permit(&trail, &caller, Write, patient).await.unwrap();
        let second = permit(&trail, &caller, Write, note).await.unwrap();
        let writes = [(&first, patient.into()), (&second, note.into())];
        let write = record_write(&trail, &writes).await.unwrap();
        let committed = write.commit(|event| async {
            trail.commit(event).await?;
            Ok::<_, TrailDown>("stored")
        });
        let (receipt, stored) = committed.await.unwrap();
        assert_eq!(receipt.disclose(stored).into_inner(), "stored");
        let events = trail.events();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].action, Action::Write);
        assert_eq!(
            events[0].records,
            [patient.reference(None), note.reference(None)]
        );
    }

    #[tokio::test]
    async fn a_failed_transaction_returns_no_receipt() {
        let trail = MemoryTrail::default();
        let caller = caller(Role::Clinician);
        let note = subject(&caller, DataClass::Clinical);
        let permitted = permit(&trail, &caller, Write, note).await.unwrap();
        let write = record_write(&trail, &[(&permitted, note.into())])
            .await
            .unwrap();
        let failed = write.commit(|_event| async { Err::<(), _>(TrailDown) });
        assert!(failed.await.is_err());
    }

    #[tokio::test]
    async fn a_record_is_not_written_into_the_chart_of_another_patient() {
        let trail = MemoryTrail::default();
        let caller = caller(Role::Clinician);
        let note = subject(&caller, DataClass::Clinical).patient(PatientId::random());
        let permitted = permit(&trail, &caller, Write, note).await.unwrap();
        let other = note.patient(PatientId::random());
        let refused = record_write(&trail, &[(&permitted, other.into())]).await;
        assert!(matches!(
            refused,
            Err(PermitError::Refused(Denial::Patient))
        ));
        assert_eq!(trail.events()[0].outcome, Outcome::Refused);
        assert_eq!(trail.events()[0].records, [other.reference(None)]);
    }

    #[tokio::test]
    async fn a_caller_writes_into_the_chart_of_a_patient_that_it_creates_and_into_no_other() {
        let trail = MemoryTrail::default();
        let caller = caller(Role::Clinician);
        let own = (caller.organization(), caller.person());
        let caller = caller
            .with_charts(ChartAccess::limited(own, [], Vec::new()))
            .unwrap();
        let (new, other) = (PatientId::random(), PatientId::random());
        let note = subject(&caller, DataClass::Clinical);
        let permitted = permit(&trail, &caller, Write, note).await.unwrap();
        for (patient, created, is_permitted) in [
            (new, BTreeSet::from([new]), true),
            (other, BTreeSet::from([new]), false),
            (new, BTreeSet::new(), false),
        ] {
            let record = note.patient(patient).into();
            let write = record_creation(&trail, &[(&permitted, record)], &created).await;
            assert_eq!(write.is_ok(), is_permitted);
        }
    }

    #[tokio::test]
    async fn a_write_that_conflicts_with_stored_records_is_recorded_as_refused() {
        let trail = MemoryTrail::default();
        let caller = caller(Role::Clinician);
        let note = subject(&caller, DataClass::Clinical).patient(PatientId::random());
        let permitted = permit(&trail, &caller, Write, note).await.unwrap();
        record_refused_write(&trail, &permitted, &[note.into()])
            .await
            .unwrap();
        let events = trail.events();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].action, Action::Write);
        assert_eq!(events[0].outcome, Outcome::Refused);
        assert_eq!(events[0].records, [note.reference(None)]);
    }

    #[tokio::test]
    async fn the_event_of_an_export_names_it_and_what_it_depends_on() {
        let trail = MemoryTrail::default();
        let caller = client("system/Patient.rs");
        let organization = caller.organization();
        let export = Subject::of("export", DataClass::Clinical, organization);
        let permitted = permit(&trail, &caller, Export, export).await.unwrap();
        // Scopes do not limit what is named and not disclosed.
        let group = Subject::of("Group", DataClass::Clinical, organization);
        let group = group.id(uuid::Uuid::from_u128(7));
        let write = record_export(&trail, &permitted, &[group.into()])
            .await
            .unwrap();
        let committed = write.commit(|event| trail.commit(event));
        assert!(committed.await.is_ok());
        let events = trail.events();
        assert_eq!(events[0].action, Action::Export);
        assert_eq!(
            events[0].records,
            [export.reference(None), group.reference(None)]
        );
    }

    #[tokio::test]
    async fn a_record_that_may_be_read_may_not_be_written() {
        let trail = MemoryTrail::default();
        let caller = caller(Role::FrontDesk);
        let patient = subject(&caller, DataClass::Demographics);
        let permitted = permit(&trail, &caller, Write, patient).await.unwrap();
        let directory = subject(&caller, DataClass::Directory);
        let refused = record_write(&trail, &[(&permitted, directory.into())]).await;
        assert!(matches!(refused, Err(PermitError::Refused(Denial::Role))));
    }

    #[tokio::test]
    async fn a_write_requires_permits_of_one_caller() {
        let trail = MemoryTrail::default();
        let (one, other) = (caller(Role::Clinician), caller(Role::Clinician));
        let (first, second) = (
            subject(&one, DataClass::Clinical),
            subject(&other, DataClass::Clinical),
        );
        let one = permit(&trail, &one, Write, first).await.unwrap();
        let other = permit(&trail, &other, Write, second).await.unwrap();
        let mixed = [(&one, first.into()), (&other, second.into())];
        for writes in [&mixed[..], &[]] {
            let refused = record_write(&trail, writes).await;
            assert!(matches!(
                refused,
                Err(PermitError::Refused(Denial::Permits))
            ));
        }
    }

    #[test]
    fn writing_can_run_on_any_worker() {
        fn is_send<T: Send>(_: T) {}
        fn check<'a>(trail: &'a MemoryTrail, caller: &'a Caller) {
            is_send(async move {
                let note = subject(caller, DataClass::Clinical);
                let permitted = permit(trail, caller, Write, note).await.unwrap();
                let writes = [(&permitted, note.into())];
                let write = record_write(trail, &writes).await.unwrap();
                write.commit(async |event| trail.commit(event).await).await
            });
        }
        check(&MemoryTrail::default(), &caller(Role::Clinician));
    }
}
